#include "teachers/compute_thread.h"

#include <map>

#include "teachers/small_world.h"

namespace conclave {
namespace {

// What it was told, by seed of the view.
struct Memory {
  std::map<std::uint64_t, std::string> records;
  int kept = 0;
};

class MemoryCache final : public TargetCache {
 public:
  explicit MemoryCache(Memory& memory) : memory_(memory) {}
  std::optional<std::string> find(std::size_t, const TargetRequest& view, const Welcome&) override {
    const auto found = memory_.records.find(view.key.seed);
    return found == memory_.records.end() ? std::nullopt : std::optional(found->second);
  }
  void keep(std::size_t, const TargetRequest& view, const Welcome&, std::string_view record) noexcept override {
    memory_.records[view.key.seed] = record;
    ++memory_.kept;
  }

 private:
  Memory& memory_;
};

class Compute : public SmallWorld {
 protected:
  // The records of the views 0, 1, ..., leased two by two and answered in one call.
  std::vector<std::string> answers(int views, Memory* memory, std::uint64_t* found = nullptr) const {
    std::vector<std::unique_ptr<Engine>> engines;
    engines.push_back(std::make_unique<Engine>(weights("rbc"), EngineOptions{}));
    Waker waker;
    ComputeThread compute(std::move(engines), memory ? std::make_unique<MemoryCache>(*memory) : nullptr, {}, waker);
    Welcome welcome;
    welcome.session = 7;
    welcome.views = views_;
    welcome.sparse = sparse_;
    std::vector<TakenLease> call;
    for (int i = 0; i < views; ++i) {
      if (i % 2 == 0) call.push_back({0, std::make_shared<const Welcome>(welcome), {}});
      call.back().lease.views.push_back(request(i));
    }
    const std::size_t leases = call.size();
    compute.add(std::move(call));
    std::vector<std::string> records;
    for (std::size_t answered = 0; answered < leases;) {
      for (const LeaseAnswer& answer : compute.collect()) {
        const auto frame = parse_frame(answer.frame);
        for (const std::string& record : std::get<Result>(frame).records) records.push_back(record);
        ++answered;
      }
    }
    if (found) *found = compute.found();
    return records;
  }
};

TEST_F(Compute, ComputesOnlyWhatTheCacheLacksAndAnswersTheSame) {
  const std::vector<std::string> plain = answers(6, nullptr);
  ASSERT_EQ(plain.size(), 6u);
  Memory memory;
  std::uint64_t found = 0;
  EXPECT_EQ(answers(6, &memory, &found), plain);
  EXPECT_EQ(memory.kept, 6);
  EXPECT_EQ(found, 0u);
  for (const int view : {1, 2, 5}) memory.records.erase(static_cast<std::uint64_t>(view) + 1);
  EXPECT_EQ(answers(6, &memory, &found), plain);
  EXPECT_EQ(memory.kept, 9);
  EXPECT_EQ(found, 3u);
  EXPECT_EQ(answers(6, &memory, &found), plain);
  EXPECT_EQ(memory.kept, 9);
  EXPECT_EQ(found, 6u);
}

TEST_F(Compute, AnswersWhatTheCacheSays) {
  Memory memory;
  memory.records = {{1, "one"}, {2, "two"}};
  EXPECT_EQ(answers(2, &memory), (std::vector<std::string>{"one", "two"}));
}

}  // namespace
}  // namespace conclave
