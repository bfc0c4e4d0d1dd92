#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/error.h"
#include "store/store_options.h"
#include "store/store_upkeep.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

unsigned long long number(std::uint64_t value) {
  return value;
}

std::string size_text(std::uint64_t bytes) {
  char text[32];
  if (bytes < 10000) {
    std::snprintf(text, sizeof text, "%llu bytes", number(bytes));
  } else if (bytes < 10000000) {
    std::snprintf(text, sizeof text, "%.1f kB", static_cast<double>(bytes) / 1e3);
  } else if (bytes < 10000000000) {
    std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  }
  return text;
}

std::vector<SegmentReport> survey_all(const std::vector<std::string>& folders, Payloads payloads) {
  std::vector<SegmentReport> reports;
  for (const std::string& folder : folders) {
    for (SegmentReport& report : survey(folder, payloads)) reports.push_back(std::move(report));
  }
  return reports;
}

void print_segment(const SegmentReport& report) {
  std::string notes;
  if (report.growing) notes += ", being written";
  if (report.cut()) notes += ", cut off in its last " + size_text(report.state.tail());
  if (report.state.header_damaged) notes += ", header damaged";
  if (report.state.damaged > 0) notes += ", " + size_text(report.state.damaged) + " damaged";
  if (report.damaged_targets > 0) notes += ", " + std::to_string(report.damaged_targets) + " damaged records";
  std::printf("%s: %llu records, %s%s\n", report.path.c_str(), number(report.targets),
              size_text(report.state.size).c_str(), notes.c_str());
}

void print_unreadable(const std::vector<SegmentReport>& reports) {
  for (const SegmentReport& report : reports) {
    if (!report.unreadable.empty()) std::printf("%s\n", report.unreadable.c_str());
  }
}

void list(const std::vector<std::string>& folders, bool each) {
  const std::vector<SegmentReport> reports = survey_all(folders, Payloads::kSkip);
  std::uint64_t targets = 0, bytes = 0;
  std::map<std::string, StoredTargets> teachers;
  for (const SegmentReport& report : reports) {
    if (each && report.unreadable.empty()) print_segment(report);
    targets += report.targets;
    bytes += report.state.size;
    for (const auto& [description, stored] : report.by_description) {
      teachers[description].targets += stored.targets;
      teachers[description].bytes += stored.bytes;
    }
  }
  print_unreadable(reports);
  for (const auto& [description, stored] : teachers) {
    std::printf("%llu records, %s, %.0f bytes per view\n  %s\n", number(stored.targets),
                size_text(stored.bytes).c_str(),
                static_cast<double>(stored.bytes) / static_cast<double>(stored.targets),
                description.empty() ? "(whose is not known: the description is damaged)" : description.c_str());
  }
  std::printf("%zu segments, %llu records, %s\n", reports.size(), number(targets), size_text(bytes).c_str());
}

void verify(const std::vector<std::string>& folders, bool repair) {
  std::uint64_t targets = 0, damaged = 0;
  std::size_t cut = 0, faulty = 0, segments = 0;
  for (const SegmentReport& report : survey_all(folders, Payloads::kRead)) {
    ++segments;
    targets += report.targets - report.damaged_targets;
    const bool repaired = repair && report.cut() && cut_tail(report.path);
    const bool damage = report.damaged_targets > 0 || report.state.damaged > 0 || report.state.header_damaged;
    if (!report.unreadable.empty()) {
      std::printf("%s\n", report.unreadable.c_str());
      ++faulty;
    } else if (damage || report.cut()) {
      print_segment(report);
      if (repaired) std::printf("  its tail was cut off\n");
      cut += report.cut() && !repaired;
      faulty += damage;
    }
    damaged += report.damaged_targets;
  }
  std::printf("%zu segments: %llu records are whole, %llu damaged\n", segments, number(targets), number(damaged));
  if (faulty > 0) {
    throw Error(std::to_string(faulty) + " segments are damaged (listed above); what is whole in them is served",
                folders.front(), "`conclave store merge` writes what is whole into new segments");
  }
  if (cut > 0) {
    throw Error(std::to_string(cut) + " segments end in half a record (listed above); nothing that was whole is lost",
                folders.front(), "--repair cuts the tails off");
  }
}

void print_growing(const UpkeepResult& result) {
  for (const fs::path& path : result.growing) std::printf("%s is being written and was left as it is\n", path.c_str());
}

void merge(const std::string& out, const std::vector<std::string>& inputs) {
  if (inputs.empty() && (!fs::is_directory(out) || survey(out, Payloads::kSkip).empty())) {
    throw Error("holds no segment of a target store, and no other store is given", out,
                "conclave store merge INTO FROM [FROM …]", Exit::kUsage);
  }
  const UpkeepResult result = merge_segments({inputs.begin(), inputs.end()}, out, StoreOptions().segment_bytes);
  print_growing(result);
  std::printf("%llu records written to %s, %llu doubles and %llu damaged ones left out, %llu segments replaced\n",
              number(result.kept), out.c_str(), number(result.doubles), number(result.damaged),
              number(result.segments));
}

// "10G" -> bytes; powers of ten.
std::uint64_t parse_size(const std::string& text) {
  std::size_t end = 0;
  double value = -1;
  try {
    value = std::stod(text, &end);
  } catch (const std::exception&) {
  }
  static const std::map<std::string, double> kUnits = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}};
  const auto unit = kUnits.find(text.substr(std::min(end, text.size())));
  if (!(value >= 0) || unit == kUnits.end() || value * unit->second > 1e18) {
    throw Error("'" + text + "' is no size", "--to-size", "bytes, or a number with k, M, G or T behind it: 500M",
                Exit::kUsage);
  }
  return static_cast<std::uint64_t>(value * unit->second);
}

struct EvictArguments {
  std::string folder, teacher, size;
};

void evict(const EvictArguments& arguments) {
  if (arguments.teacher.empty() == arguments.size.empty()) {
    throw Error("say what is to go", "conclave store evict", "--teacher HASH, or --to-size SIZE", Exit::kUsage);
  }
  const UpkeepResult result = arguments.size.empty()
                                  ? evict_teacher(arguments.folder, arguments.teacher, StoreOptions().segment_bytes)
                                  : evict_to_size(arguments.folder, parse_size(arguments.size));
  print_growing(result);
  std::printf("%llu records and %llu segments removed\n", number(result.dropped), number(result.segments));
}

void add_list(CLI::App& store, Action& action) {
  CLI::App* verb = store.add_subcommand("list", "what is stored: teachers, records, bytes per view");
  verb->footer(
      "Examples:\n"
      "  conclave store list targets/\n"
      "  conclave store list --segments targets/ /mnt/other/targets/");
  auto folders = std::make_shared<std::vector<std::string>>();
  auto each = std::make_shared<bool>(false);
  verb->add_option("folders", *folders, "folders of segments")->required();
  verb->add_flag("--segments", *each, "a line for each segment");
  verb->callback([=, &action] { action = [=] { list(*folders, *each); }; });
}

void add_verify(CLI::App& store, Action& action) {
  CLI::App* verb = store.add_subcommand("verify", "read every record and check it");
  verb->footer(
      "Examples:\n"
      "  conclave store verify targets/\n"
      "  conclave store verify --repair targets/     # cut off what a killed writer left half written\n\n"
      "Ends with 1 when something is damaged or cut off. A segment that a run is writing is no fault.");
  auto folders = std::make_shared<std::vector<std::string>>();
  auto repair = std::make_shared<bool>(false);
  verb->add_option("folders", *folders, "folders of segments")->required();
  verb->add_flag("--repair", *repair, "cut off half-written tails");
  verb->callback([=, &action] { action = [=] { verify(*folders, *repair); }; });
}

void add_merge(CLI::App& store, Action& action) {
  CLI::App* verb = store.add_subcommand("merge", "write several stores into one, each target once");
  verb->footer(
      "Examples:\n"
      "  conclave store merge targets/ host1/targets/ host2/targets/   # into targets/; the others stay as they are\n"
      "  conclave store merge targets/                                 # join its own segments");
  auto out = std::make_shared<std::string>();
  auto inputs = std::make_shared<std::vector<std::string>>();
  verb->add_option("folder", *out, "where the result goes; its segments are replaced")->required();
  verb->add_option("inputs", *inputs, "further folders or segment files");
  verb->callback([=, &action] { action = [=] { merge(*out, *inputs); }; });
}

void add_evict(CLI::App& store, Action& action) {
  CLI::App* verb = store.add_subcommand("evict", "remove a teacher's targets, or the oldest segments");
  verb->footer(
      "Examples:\n"
      "  conclave store evict targets/ --teacher 3f9a21    # the start of its hash, as `conclave store list` shows it\n"
      "  conclave store evict targets/ --to-size 20G       # whole segments, the oldest first");
  auto arguments = std::make_shared<EvictArguments>();
  verb->add_option("folder", arguments->folder, "of the segments")->required();
  verb->add_option("--teacher", arguments->teacher, "the start of the hash of its weights");
  verb->add_option("--to-size", arguments->size, "bytes that may stay; k, M, G, T are understood");
  verb->callback([=, &action] { action = [=] { evict(*arguments); }; });
}

}  // namespace

void add_store(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("store", "list, verify, merge and evict stored targets");
  verb->require_subcommand(1);
  verb->footer(
      "Examples:\n"
      "  conclave distill merge.yaml data.views_per_image=8 service.store.mode=auto service.store.folder=targets\n"
      "  conclave store list targets/\n"
      "  conclave store verify targets/");
  add_list(*verb, action);
  add_verify(*verb, action);
  add_merge(*verb, action);
  add_evict(*verb, action);
}

}  // namespace conclave
