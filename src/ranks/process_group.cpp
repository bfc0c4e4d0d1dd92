// Defined here, not on the command line: the shared precompiled header knows nothing of them.
#define USE_C10D_GLOO
#ifdef CONCLAVE_CUDA
#define USE_C10D_NCCL
#endif

#include "ranks/process_group.h"

#include <ATen/ATen.h>
#include <fcntl.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef CONCLAVE_CUDA
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "core/log.h"
#include "ranks/line_socket.h"
#include "ranks/supervision.h"

namespace conclave {
namespace {

using Future = c10::ivalue::Future;
using Milliseconds = std::chrono::milliseconds;

// A rank may wait for another as long as that one waits for its teachers; the supervision finds the dead.
constexpr std::chrono::hours kNoTimeout{24 * 7};

Milliseconds in_milliseconds(double seconds) {
  return Milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

c10::intrusive_ptr<::c10d::Store> open_store(const World& world, const RanksOptions& options) {
  ::c10d::TCPStoreOptions store;
  store.port = static_cast<std::uint16_t>(world.port);
  store.isServer = world.rank == 0 && !world.served;
  store.numWorkers = std::nullopt;
  store.waitWorkers = false;
  store.timeout = in_milliseconds(options.start_seconds);
  if (store.isServer && world.listening_socket >= 0) {
    ::fcntl(world.listening_socket, F_SETFD, FD_CLOEXEC);  // no child of ours keeps it
    store.masterListenFd = world.listening_socket;
  }
  const auto tcp = c10::make_intrusive<::c10d::TCPStore>(world.host, store);
  return c10::make_intrusive<::c10d::PrefixStore>("conclave/" + std::to_string(world.attempt), tcp);
}

std::string text_of(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

at::Tensor bytes_of(const std::string& text) {
  at::Tensor bytes = at::empty({static_cast<std::int64_t>(text.size())}, at::kByte);
  if (!text.empty()) std::memcpy(bytes.mutable_data_ptr(), text.data(), text.size());
  return bytes;
}

std::string text_of(const at::Tensor& bytes, std::int64_t size) {
  return {static_cast<const char*>(bytes.const_data_ptr()), static_cast<std::size_t>(size)};
}

// All elements of tensors of one type, in a row.
at::Tensor flattened(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> rows;
  for (const at::Tensor& tensor : tensors) rows.push_back(tensor.reshape(-1));
  return at::cat(rows);
}

// And back.
void spread(const at::Tensor& row, const std::vector<at::Tensor>& tensors) {
  std::int64_t first = 0;
  for (const at::Tensor& tensor : tensors) {
    tensor.copy_(row.narrow(0, first, tensor.numel()).view(tensor.sizes()));
    first += tensor.numel();
  }
}

Error lost(const std::string& what) {
  return Error(what, {}, "the last checkpoint is kept: start all ranks again with --resume", Exit::kRankLost);
}

}  // namespace

struct ProcessGroup::State {
  c10::intrusive_ptr<::c10d::Store> store;
  c10::intrusive_ptr<::c10d::ProcessGroup> group;
  c10::intrusive_ptr<::c10d::Backend> gloo, nccl;
  double lost_seconds = 0;
  bool together = false;  // the ranks leave by agreement
  std::mutex mutex;
  std::vector<c10::intrusive_ptr<Future>> waiting;  // guarded by mutex
  std::unique_ptr<Supervision> supervision;         // destroyed first: its thread uses the rest

  ::c10d::Backend& backend_of(const at::Tensor& tensor) { return tensor.is_cuda() && nccl ? *nccl : *gloo; }

  void meet(const World& world, const RanksOptions& options, [[maybe_unused]] at::Device device) {
    store = open_store(world, options);
    const auto on_loss = [this](const std::string& what) { wake(what); };
    if (world.rank == 0) {
      supervision = Supervision::lead(world, options, on_loss);
      const std::string& address = supervision->address();
      store->set("supervision", std::vector<std::uint8_t>(address.begin(), address.end()));
    } else {
      supervision = Supervision::follow(world, options, text_of(store->get("supervision")), on_loss);
    }
    const auto part = [&](const char* name) { return c10::make_intrusive<::c10d::PrefixStore>(name, store); };
    group = c10::make_intrusive<::c10d::ProcessGroup>(part("group"), world.rank, world.size);
    const auto options_of_gloo = ::c10d::ProcessGroupGloo::Options::create(kNoTimeout);
    const bool one_host = world.local_size == world.size || world.host == "127.0.0.1" || world.host == "localhost";
    options_of_gloo->devices.push_back(
        ::c10d::ProcessGroupGloo::createDeviceForHostname(one_host ? "127.0.0.1" : address_towards(world.host)));
    gloo = c10::make_intrusive<::c10d::ProcessGroupGloo>(part("gloo"), world.rank, world.size, options_of_gloo);
    group->setBackend(c10::DeviceType::CPU, ::c10d::ProcessGroup::BackendType::GLOO, gloo);
    group->setDefaultBackend(::c10d::ProcessGroup::BackendType::GLOO);
#ifdef CONCLAVE_CUDA
    if (device.is_cuda()) {
      const auto options_of_nccl = ::c10d::ProcessGroupNCCL::Options::create();
      options_of_nccl->timeout = kNoTimeout;
      nccl = c10::make_intrusive<::c10d::ProcessGroupNCCL>(part("nccl"), world.rank, world.size, options_of_nccl);
      nccl->setBoundDeviceId(device);
      group->setBackend(c10::DeviceType::CUDA, ::c10d::ProcessGroup::BackendType::NCCL, nccl);
    }
#endif
  }

  // On the thread of the supervision: wakes whoever waits.
  void wake(const std::string& what) {
    const std::lock_guard lock(mutex);
    for (const auto& future : waiting) future->setErrorIfNeeded(std::make_exception_ptr(lost(what)));
    waiting.clear();
    if (nccl) nccl->abort();
  }
};

ProcessGroup::ProcessGroup() = default;

// Delegates, so that what fails half-way is torn down by the destructor.
ProcessGroup::ProcessGroup(const World& world, const RanksOptions& options, at::Device device) : ProcessGroup() {
  world_ = world;
  if (world.size == 1) return;
  const std::string where = world.host + ":" + std::to_string(world.port);
  state_ = std::make_unique<State>();
  state_->lost_seconds = options.lost_seconds;
  try {
    state_->meet(world, options, device);
    barrier();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    if (const auto loss = state_->supervision ? state_->supervision->loss() : std::nullopt) throw lost(*loss);
    const std::string what = failure.what();
    throw Error("the ranks did not meet: " + what.substr(0, what.find('\n')), where,
                "start all " + std::to_string(world.size) + " ranks within " +
                    std::to_string(static_cast<int>(options.start_seconds)) + " s (ranks.start_seconds)");
  }
  log::info("rank {} of {} is in place; they met at {}", world.rank, world.size, where);
}

ProcessGroup::~ProcessGroup() {
  if (!state_) return;
  bool broken = !state_->together;
  if (state_->supervision) {
    if (broken) state_->supervision->fail("with an error; its log says which");
    broken = broken || state_->supervision->loss();
    state_->supervision.reset();
  }
  // Threads of the backends may be stuck in a collective that will never end; they are left behind.
  if (broken) static_cast<void>(state_.release());
}

void ProcessGroup::wait_for(const std::function<c10::intrusive_ptr<::c10d::Work>()>& start, const at::Tensor& value) {
  try {
    supervised(start(), value)->waitAndThrow();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    explain(failure);
  }
}

void ProcessGroup::sum(const std::vector<at::Tensor>& tensors) {
  if (!state_ || tensors.empty()) return;
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> joined = {flattened(tensors)};
  wait_for([&] { return state_->backend_of(joined.front()).allreduce(joined); }, joined.front());
  spread(joined.front(), tensors);
}

at::Tensor ProcessGroup::gather(const at::Tensor& tensor) {
  if (!state_) return tensor.unsqueeze(0);
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> in = {tensor.contiguous()};
  std::vector<std::vector<at::Tensor>> out(1);
  for (int rank = 0; rank < world_.size; ++rank) out.front().push_back(at::empty_like(in.front()));
  wait_for([&] { return state_->backend_of(in.front()).allgather(out, in); }, in.front());
  return at::stack(out.front());
}

void ProcessGroup::broadcast(const std::vector<at::Tensor>& tensors) {
  if (!state_) return;
  const at::NoGradGuard no_grad;
  std::map<at::ScalarType, std::vector<at::Tensor>> of_type;
  for (const at::Tensor& tensor : tensors) of_type[tensor.scalar_type()].push_back(tensor);
  for (const auto& [type, same] : of_type) {
    std::vector<at::Tensor> joined = {flattened(same)};
    wait_for([&] { return state_->backend_of(joined.front()).broadcast(joined); }, joined.front());
    spread(joined.front(), same);
  }
}

std::string ProcessGroup::broadcast_from(int root, const std::string& text) {
  ::c10d::BroadcastOptions options;
  options.rootRank = root;
  const auto send = [&](const at::Tensor& tensor) {
    std::vector<at::Tensor> tensors = {tensor};
    wait_for([&] { return state_->gloo->broadcast(tensors, options); }, tensor);
    return tensor;
  };
  const std::int64_t size = send(at::full({1}, static_cast<std::int64_t>(text.size()), at::kLong)).item<std::int64_t>();
  if (size == 0) return {};
  return text_of(send(world_.rank == root ? bytes_of(text) : at::empty({size}, at::kByte)), size);
}

std::string ProcessGroup::broadcast(const std::string& text) {
  return state_ ? broadcast_from(0, text) : text;
}

std::vector<std::string> ProcessGroup::gather(const std::string& text) {
  if (!state_) return {text};
  const at::Tensor sizes = gather(at::full({1}, static_cast<std::int64_t>(text.size()), at::kLong));
  const std::int64_t longest = std::max<std::int64_t>(1, sizes.max().item<std::int64_t>());
  at::Tensor padded = at::zeros({longest}, at::kByte);
  padded.narrow(0, 0, static_cast<std::int64_t>(text.size())).copy_(bytes_of(text));
  std::vector<at::Tensor> in = {padded};
  std::vector<std::vector<at::Tensor>> out;
  if (writes()) {
    out.emplace_back();
    for (int rank = 0; rank < world_.size; ++rank) out.front().push_back(at::empty_like(padded));
  }
  wait_for([&] { return state_->gloo->gather(out, in); }, padded);
  std::vector<std::string> texts;
  for (int rank = 0; writes() && rank < world_.size; ++rank) {
    texts.push_back(text_of(out.front()[static_cast<std::size_t>(rank)], sizes[rank].item<std::int64_t>()));
  }
  return texts;
}

void ProcessGroup::barrier() {
  if (state_) gather(at::zeros({1}));
}

void ProcessGroup::together(const std::function<void()>& action) {
  if (!state_) return action();
  std::optional<Error> failure;
  try {
    action();
  } catch (const Error& error) {
    failure = error;
  }
  agree(failure);
}

void ProcessGroup::agree(const std::optional<Error>& failure) {
  const int own = failure ? static_cast<int>(failure->exit()) : 0;
  const at::Tensor codes = gather(at::full({1}, own, at::kInt));
  int first = 0;
  while (first < world_.size && codes[first].item<int>() == 0) ++first;
  if (first == world_.size) return;
  const std::string why = broadcast_from(first, failure ? failure->what() : "");
  state_->together = true;
  if (failure) throw *failure;
  throw Error("rank " + std::to_string(first) + ": " + why, {}, {}, static_cast<Exit>(codes[first].item<int>()));
}

void ProcessGroup::finish() {
  if (!state_) return;
  barrier();
  state_->together = true;
}

void ProcessGroup::fail(const std::string& why) {
  if (state_ && !state_->together) state_->supervision->fail(why);
}

c10d::ProcessGroup* ProcessGroup::c10d() const {
  return state_ ? state_->group.get() : nullptr;
}

c10::intrusive_ptr<Future> ProcessGroup::supervised(const c10::intrusive_ptr<::c10d::Work>& work, at::Tensor value) {
  auto inner = work->getFuture();
  if (value.is_cuda()) return inner;  // done at once on the host: the stream waits, and abort() ends that
  auto outer = c10::make_intrusive<Future>(c10::TensorType::get());
  {
    const std::lock_guard lock(state_->mutex);
    if (const auto loss = state_->supervision->loss()) throw lost(*loss);
    state_->waiting.push_back(outer);
  }
  inner->addCallback([state = state_.get(), outer, value = std::move(value)](Future& done) {
    const std::lock_guard lock(state->mutex);
    std::erase(state->waiting, outer);
    if (outer->completed()) return;
    if (done.hasError()) {
      outer->setError(done.exception_ptr());
    } else {
      outer->markCompleted(value);
    }
  });
  return outer;
}

void ProcessGroup::explain(const std::exception& failure) {
  // A connection that broke is seen here before the supervision has judged.
  if (const auto loss = state_->supervision->await_loss(state_->lost_seconds + 2)) throw lost(*loss);
  throw Error(std::string("ranks can't work together: ") + failure.what());
}

}  // namespace conclave
