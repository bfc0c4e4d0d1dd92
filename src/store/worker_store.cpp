#include "store/worker_store.h"

#include <exception>
#include <utility>

#include "core/log.h"
#include "store/store_lookup.h"
#include "store/target_key.h"

namespace conclave {
namespace {

class WorkerStore final : public TargetCache {
 public:
  WorkerStore(std::unique_ptr<TargetStore> store, std::vector<ExpectedTeacher> teachers, std::string root)
      : lookup_(std::move(store)), teachers_(std::move(teachers)), root_(std::move(root)) {}

  std::optional<std::string> find(std::size_t teacher, const TargetRequest& view, const Welcome& trainer) override {
    const TargetKey key = key_of(teacher, view, trainer);
    try {
      return lookup_.find(key);
    } catch (const std::exception& error) {
      if (!std::exchange(unreadable_, true)) log::warn("what can't be looked up is computed: {}", error.what());
      return std::nullopt;
    }
  }

  void keep(std::size_t teacher, const TargetRequest& view, const Welcome& trainer,
            std::string_view record) noexcept override {
    if (broken_) return;
    try {
      lookup_.store().append(key_of(teacher, view, trainer),
                             describe(teachers_[teacher], trainer.views, trainer.sparse), record);
    } catch (const std::exception& error) {
      broken_ = true;
      log::warn("answers are no longer kept: {}", error.what());
    }
  }

 private:
  TargetKey key_of(std::size_t teacher, const TargetRequest& view, const Welcome& trainer) {
    return target_key(TeacherKey(teachers_[teacher], trainer.sparse), lookup_.contents_of(view, root_), view,
                      trainer.views);
  }

  StoreLookup lookup_;
  const std::vector<ExpectedTeacher> teachers_;
  const std::string root_;
  bool broken_ = false;      // the store takes no more
  bool unreadable_ = false;  // a lookup failed, and was told
};

}  // namespace

std::unique_ptr<TargetCache> make_worker_store(std::unique_ptr<TargetStore> store,
                                               std::vector<ExpectedTeacher> teachers, std::string root) {
  return std::make_unique<WorkerStore>(std::move(store), std::move(teachers), std::move(root));
}

}  // namespace conclave
