#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "ranks/options.h"
#include "ranks/world.h"

namespace c10d {
class ProcessGroup;
class Work;
}  // namespace c10d

namespace conclave {

// The ranks of one training: Gloo for CPU tensors, NCCL for CUDA tensors, rendezvous at a TCPStore, and a supervision
// of our own. In a world of one nothing of this exists and every call does nothing, so that callers need not ask.
//
// All ranks make the same calls in the same order, from one thread at a time. Calls block until all ranks have made
// them; when a rank is lost meanwhile they throw Error (Exit::kRankLost) that names it, instead of waiting on.
class ProcessGroup {
 public:
  ProcessGroup();  // a world of one
  // Meets the other ranks; blocks up to options.start_seconds. `device`: of this rank's model. Throws Error.
  ProcessGroup(const World& world, const RanksOptions& options, at::Device device);
  // Tells the others: goodbye after finish() or a failure in together(), else that this rank failed.
  ~ProcessGroup();

  const World& world() const { return world_; }
  int rank() const { return world_.rank; }
  int size() const { return world_.size; }
  bool writes() const { return world_.rank == 0; }  // files of the run: rank 0 alone

  // Adds up each tensor over the ranks, in place. One dtype, one device.
  void sum(const std::vector<at::Tensor>& tensors);
  // (size, ...): the tensor of every rank, in rank order.
  at::Tensor gather(const at::Tensor& tensor);
  // Every rank's tensors become rank 0's. Any dtypes and strides, one device.
  void broadcast(const std::vector<at::Tensor>& tensors);
  // Rank 0's text, on every rank.
  std::string broadcast(const std::string& text);
  // Every rank's text in rank order, on rank 0; empty elsewhere.
  std::vector<std::string> gather(const std::string& text);
  void barrier();

  // Does something that may fail on some ranks and not on others, and waits for all of them. Where an action throws an
  // Error, that rank throws it on, and all others throw one of the same exit code that names it and says why: the ranks
  // give up at the same place.
  void together(const std::function<void()>& action);
  // The last call of a training that succeeded. Afterwards ranks may end at any time.
  void finish();
  // Tells the others why this rank leaves alone.
  void fail(const std::string& why);

  // ---- For what else is built on it -------------------------------------------------------------------------------
  // Null in a world of one.
  c10d::ProcessGroup* c10d() const;
  // A future of `value` that is done when the work is, or fails when a rank is lost.
  c10::intrusive_ptr<c10::ivalue::Future> supervised(const c10::intrusive_ptr<c10d::Work>& work, at::Tensor value);
  // Says what a failed collective means: a lost rank, if there is one. Throws Error always.
  [[noreturn]] void explain(const std::exception& failure);

 private:
  struct State;
  void agree(const std::optional<Error>& failure);
  void wait_for(const std::function<c10::intrusive_ptr<c10d::Work>()>& start, const at::Tensor& value);
  std::string broadcast_from(int root, const std::string& text);

  World world_;
  std::unique_ptr<State> state_;  // null in a world of one
};

}  // namespace conclave
