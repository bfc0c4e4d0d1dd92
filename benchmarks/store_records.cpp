// The target store measured, and a writer to be killed. scripts/bench_store and scripts/kill_store run it.
//
//   bench_store_records measure FOLDER [records=100000] [bytes=1000] [from=STORE]
//       writes so many records and reads all back in another order; they are those of STORE in turn, or noise of
//       `bytes` on average
//   bench_store_records write FOLDER WRITER
//       opens the store, says 0, waits for a line, then writes until it is killed; says after each sync how many
//       are kept
//   bench_store_records check FOLDER (WRITER KEPT)*
//       are the first KEPT of each writer there, and all that is there as it was written?
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "store/target_store.h"

namespace {

using conclave::Error;
using conclave::StoreOptions;
using conclave::TargetKey;
using conclave::TargetStore;

constexpr std::uint64_t kSyncEvery = 16;     // records of `write`
constexpr std::uint32_t kMostBytes = 10000;  // of its records

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TargetKey numbered_key(std::uint64_t writer, std::uint64_t n) {
  TargetKey key;
  for (std::size_t i = 0; i < 8; ++i) {
    key.bytes[i] = static_cast<std::uint8_t>(conclave::mix(writer, n) >> (8 * i));
    key.bytes[8 + i] = static_cast<std::uint8_t>((writer << 40 | n) >> (8 * i));
  }
  return key;
}

std::string numbered_record(std::uint64_t writer, std::uint64_t n, std::uint32_t most) {
  conclave::CounterRandom random(conclave::mix(writer, n));
  std::string record(random.below(most), '\0');
  for (char& byte : record) byte = static_cast<char>(random.next());
  return record;
}

StoreOptions options_for(const std::string& folder) {
  StoreOptions options;
  options.folder = folder;
  return options;
}

std::vector<std::string> records_of(const std::string& folder) {
  std::vector<std::string> records;
  for (const auto& path : conclave::list_segments(folder)) {
    conclave::SegmentReader reader(path);
    for (const auto& entry : reader.scan()) {
      if (auto record = reader.read(entry)) records.push_back(std::move(*record));
    }
  }
  if (records.empty()) throw Error("holds no record", folder);
  return records;
}

int measure(const std::string& folder, std::uint64_t count, std::uint32_t bytes, const std::string& from) {
  std::vector<std::string> records;
  if (!from.empty()) records = records_of(from);
  for (std::uint64_t n = 0; from.empty() && n < 1000; ++n) records.push_back(numbered_record(0, n, 2 * bytes));
  std::uint64_t payload = 0;
  auto begin = std::chrono::steady_clock::now();
  {
    TargetStore store(options_for(folder), TargetStore::Access::kWrite);
    for (std::uint64_t n = 0; n < count; ++n) {
      const std::string& record = records[n % records.size()];
      store.append(numbered_key(1, n), "benchmark", record);
      payload += record.size();
    }
  }
  const double write = seconds_since(begin);
  begin = std::chrono::steady_clock::now();
  TargetStore store(options_for(folder), TargetStore::Access::kRead);
  const double open = seconds_since(begin);
  const std::vector<std::uint32_t> order = conclave::permutation(static_cast<std::uint32_t>(count), 1);
  begin = std::chrono::steady_clock::now();
  std::uint64_t right = 0;
  for (const std::uint32_t n : order) {
    right += store.find(numbered_key(1, n)) == records[n % records.size()];
  }
  const double read = seconds_since(begin);
  const double views = static_cast<double>(count);
  std::printf("%llu records, %.0f bytes each, %.0f with what the store adds\n", static_cast<unsigned long long>(count),
              static_cast<double>(payload) / views, static_cast<double>(store.bytes()) / views);
  std::printf("written and synced: %.0f records/s, %.0f MB/s\n", views / write,
              1e-6 * static_cast<double>(payload) / write);
  std::printf("opened in %.2f s; read in another order, every checksum verified: %.0f records/s, %.0f MB/s\n", open,
              views / read, 1e-6 * static_cast<double>(payload) / read);
  std::printf("%llu of %llu came back as written\n", static_cast<unsigned long long>(right),
              static_cast<unsigned long long>(count));
  return right == count ? 0 : 1;
}

int write(const std::string& folder, std::uint64_t writer) {
  StoreOptions options = options_for(folder);
  options.segment_bytes = 4000000;
  TargetStore store(options, TargetStore::Access::kWrite);
  std::puts("0");
  std::fflush(stdout);
  std::getchar();
  for (std::uint64_t n = 1;; ++n) {
    store.append(numbered_key(writer, n), "writer " + std::to_string(writer), numbered_record(writer, n, kMostBytes));
    if (n % kSyncEvery != 0) continue;
    store.sync();
    std::printf("%llu\n", static_cast<unsigned long long>(n));
    std::fflush(stdout);
  }
}

int check(const std::string& folder, const std::map<std::uint64_t, std::uint64_t>& kept) {
  TargetStore store(options_for(folder), TargetStore::Access::kRead);
  std::uint64_t lost = 0, wrong = 0, whole = 0;
  for (const auto& [writer, count] : kept) {
    for (std::uint64_t n = 1; n <= count || store.contains(numbered_key(writer, n)); ++n) {
      const auto record = store.find(numbered_key(writer, n));
      lost += !record && n <= count;
      wrong += record && *record != numbered_record(writer, n, kMostBytes);
      whole += record.has_value();
    }
  }
  std::printf("%llu records are there, %llu lost, %llu wrong\n", static_cast<unsigned long long>(whole),
              static_cast<unsigned long long>(lost), static_cast<unsigned long long>(wrong));
  return lost + wrong == 0 ? 0 : 1;
}

int run(const std::vector<std::string>& words) {
  if (words.size() >= 2 && words[0] == "measure") {
    std::map<std::string, std::string> settings = {{"records", "100000"}, {"bytes", "1000"}, {"from", ""}};
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::size_t equals = words[i].find('=');
      if (!settings.contains(words[i].substr(0, equals))) throw Error("unknown setting", words[i]);
      settings[words[i].substr(0, equals)] = words[i].substr(equals + 1);
    }
    return measure(words[1], std::stoull(settings["records"]),
                   static_cast<std::uint32_t>(std::stoul(settings["bytes"])), settings["from"]);
  }
  if (words.size() == 3 && words[0] == "write") return write(words[1], std::stoull(words[2]));
  if (words.size() >= 2 && words[0] == "check" && words.size() % 2 == 0) {
    std::map<std::uint64_t, std::uint64_t> kept;
    for (std::size_t i = 2; i < words.size(); i += 2) kept[std::stoull(words[i])] = std::stoull(words[i + 1]);
    return check(words[1], kept);
  }
  throw Error("measure FOLDER [records=N] [bytes=N] [from=STORE] | write FOLDER WRITER | check FOLDER (WRITER KEPT)*");
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
