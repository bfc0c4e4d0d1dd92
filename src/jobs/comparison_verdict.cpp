#include "jobs/comparison_verdict.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/join.h"

namespace conclave {
namespace {

std::string points(double share, int decimals, bool sign) {
  char text[32];
  std::snprintf(text, sizeof text, sign ? "%+.*f" : "%.*f", decimals, 100 * share);
  const bool zero = std::string(text).find_first_of("123456789") == std::string::npos;
  if (zero && (text[0] == '-' || text[0] == '+')) return text + 1;
  return text;
}

// So many that no end that differs from zero is shown as zero; at most three.
int decimals_of(const Interval& interval) {
  int decimals = 1;
  const auto hidden = [&](double end) {
    return end != 0 && !std::isnan(end) && std::abs(100 * end) < 0.5 * std::pow(10.0, -decimals);
  };
  while (decimals < 3 && (hidden(interval.low) || hidden(interval.high))) ++decimals;
  return decimals;
}

std::string range_text(const Interval& interval, bool sign) {
  const int decimals = decimals_of(interval);
  return points(interval.low, decimals, sign) + " to " + points(interval.high, decimals, sign);
}

std::string seeds_text(int n) {
  return n == 1 ? "one seed" : std::to_string(n) + " seeds";
}

// The classes on which the method's interval excludes zero, beside what the mean says.
std::string class_sentence(const Comparison& comparison, const MethodSummary& summary) {
  std::vector<std::string> found;
  for (std::size_t c = 0; c < comparison.classes.size(); ++c) {
    const Interval& difference = summary.per_class[c].ap_difference;
    if (difference.n >= 2 && difference.excludes_zero()) {
      found.push_back(comparison.classes[c] + " " + difference_text(difference));
    }
  }
  if (found.empty() || comparison.classes.size() < 2) return {};
  return " Single classes whose interval excludes zero: " + join(found) + ".";
}

std::string best_sentence(const Comparison& comparison) {
  const MethodSummary* best = nullptr;
  std::string name;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const Interval& ap = comparison.summaries[m].all.ap;
    if (ap.n == 0 || (best != nullptr && ap.mean <= best->all.ap.mean)) continue;
    best = &comparison.summaries[m];
    name = comparison.methods[m].name;
  }
  if (best == nullptr) return "No run is finished yet.";
  std::string text = "The highest mean AP is that of " + name + ": " + points(best->all.ap.mean, 1, false);
  if (best->all.ap.bounded()) text += " [" + range_text(best->all.ap, false) + "]";
  return text + " over " + seeds_text(best->all.ap.n) + ".";
}

std::string group_sentence(const Comparison& comparison, const std::string& intro, bool (*belongs)(const Interval&)) {
  std::vector<std::string> found;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const Interval& difference = comparison.summaries[m].all.ap_difference;
    if (comparison.methods[m].name == comparison.baseline || difference.n < 2 || !belongs(difference)) continue;
    found.push_back(comparison.methods[m].name + " (" + difference_text(difference) + ")");
  }
  return found.empty() ? "" : intro + " " + comparison.baseline + ": " + join(found) + ".";
}

std::string gap_sentence(const Comparison& comparison) {
  std::vector<std::string> found;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const Interval& gap = comparison.summaries[m].gap_closed;
    if (!gap.bounded()) continue;
    found.push_back(comparison.methods[m].name + " " + points(gap.mean, 0, false) + " % [" + points(gap.low, 0, false) +
                    ", " + points(gap.high, 0, false) + "]");
  }
  if (found.empty()) return {};
  return "Share of the gap between " + comparison.lower + " and " + comparison.upper +
         " that is closed: " + join(found) + ".";
}

int count(const Comparison& comparison, RunState state) {
  return static_cast<int>(std::count_if(comparison.runs.begin(), comparison.runs.end(),
                                        [&](const ComparedRun& run) { return run.state == state; }));
}

// "seed 1 failed, seeds 2, 3 are missing"; empty where the method has all seeds.
std::string gaps_of_method(const Comparison& comparison, std::size_t method) {
  std::vector<std::string> failed, missing;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    const RunState state = run_of(comparison, method, s).state;
    if (state == RunState::kFailed) failed.push_back(std::to_string(comparison.seeds[s]));
    if (state == RunState::kMissing) missing.push_back(std::to_string(comparison.seeds[s]));
  }
  const auto named = [](const std::vector<std::string>& seeds) {
    return (seeds.size() == 1 ? "seed " : "seeds ") + join(seeds);
  };
  std::vector<std::string> gaps;
  if (!failed.empty()) gaps.push_back(named(failed) + " failed");
  if (!missing.empty()) gaps.push_back(named(missing) + (missing.size() == 1 ? " is missing" : " are missing"));
  return join(gaps);
}

// "Not every method has every seed: seed 1 failed (kd); seeds 2, 3 are missing (pseudo, ignore)."
std::string gaps_sentence(const Comparison& comparison) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;  // in the order of the methods
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const std::string gaps = gaps_of_method(comparison, m);
    if (gaps.empty()) continue;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& each) { return each.first == gaps; });
    if (group == groups.end()) group = groups.insert(group, {gaps, {}});
    group->second.push_back(comparison.methods[m].name);
  }
  std::vector<std::string> texts;
  for (const auto& [gaps, who] : groups) {
    texts.push_back(gaps + " (" + (who.size() == comparison.methods.size() ? "all methods" : join(who)) + ")");
  }
  return texts.empty() ? "" : "Not every method has every seed: " + join(texts, "; ") + ".";
}

// The values that the methods have, and who has each: "x.safetensors (kd, pseudo); none (labels)".
std::string shared_by(const Comparison& comparison, std::string ComparedMethod::*value) {
  std::map<std::string, std::vector<std::string>> names;
  for (const ComparedMethod& method : comparison.methods) names[method.*value].push_back(method.name);
  std::vector<std::string> parts;
  for (const auto& [what, who] : names) parts.push_back((what.empty() ? "none" : what) + " (" + join(who) + ")");
  return names.size() > 1 ? join(parts, "; ") : "";
}

// "kd (12 of 72)" for each method that learnt from images it is tested on.
std::string seen_by(const Comparison& comparison) {
  std::vector<std::string> found;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    std::int64_t seen = 0, images = 0;
    for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
      const std::optional<StudentResult>& student = run_of(comparison, m, s).record.student;
      if (!student || student->seen_images <= seen) continue;
      seen = student->seen_images;
      images = student->images;
    }
    if (seen > 0) {
      found.push_back(comparison.methods[m].name + " (" + std::to_string(seen) + " of " + std::to_string(images) + ")");
    }
  }
  return join(found);
}

std::set<std::string> versions_of(const Comparison& comparison) {
  std::set<std::string> versions;
  for (const ComparedRun& run : comparison.runs) {
    for (const auto& [key, value] : run.record.environment) {
      if (key == "version") versions.insert(value);
    }
  }
  return versions;
}

void add_notes(Comparison& comparison) {
  const int missing = count(comparison, RunState::kMissing), failed = count(comparison, RunState::kFailed);
  const std::string all = std::to_string(comparison.runs.size());
  if (missing > 0) comparison.notes.push_back(std::to_string(missing) + " of " + all + " runs are missing so far.");
  if (failed > 0) comparison.notes.push_back(std::to_string(failed) + " of " + all + " runs failed.");
  if (const std::string seen = seen_by(comparison); !seen.empty()) {
    comparison.notes.push_back(
        "Methods were trained on images of the test set, which says nothing about new images: " + seen + ".");
  }
  if (const std::string choice = shared_by(comparison, &ComparedMethod::choice); !choice.empty()) {
    comparison.notes.push_back(
        "The methods choose their weights differently, and that alone may make a difference: " + choice + ".");
  }
  const std::string init = shared_by(comparison, &ComparedMethod::init);
  if (!init.empty()) {
    comparison.notes.push_back(
        "The methods start from different weights, and that alone may make a difference: " + init + ".");
  }
  if (const std::set<std::string> versions = versions_of(comparison); versions.size() > 1) {
    comparison.notes.push_back("The runs are of different versions of the program: " +
                               join(std::vector<std::string>(versions.begin(), versions.end())) + ".");
  }
  if (comparison.seeds.size() == 1) {
    comparison.notes.push_back("With one seed there are no intervals: no difference can be told from chance.");
  } else if (comparison.seeds.size() == 2) {
    comparison.notes.push_back("With two seeds intervals are wide: take three, better five or more.");
  }
  if (comparison.methods.size() > 2) {
    comparison.notes.push_back(
        "Each 95 % interval holds by itself: of 20 methods equal to the baseline, one would seem to differ by chance.");
  }
}

}  // namespace

std::string difference_text(const Interval& difference) {
  const int decimals = decimals_of(difference);
  std::string text = points(difference.mean, decimals, true) + " AP";
  if (difference.bounded()) {
    text += " [" + points(difference.low, decimals, true) + ", " + points(difference.high, decimals, true) + "]";
  }
  return text;
}

std::string verdict_on(const std::string& method, const std::string& baseline, const Interval& difference) {
  if (difference.n == 0) return "Not compared: no seed has finished runs of both " + method + " and " + baseline + ".";
  if (difference.n == 1) {
    return "No judgement: in the one seed that both have, " + method + " differs from " + baseline + " by " +
           difference_text(difference) + ", and one seed tells nothing about chance.";
  }
  const std::string wide = difference.n == 2 ? " Two seeds make the interval wide." : "";
  if (difference.excludes_zero()) {
    return method + " is " + (difference.low > 0 ? "better" : "worse") + " than " + baseline + ": " +
           difference_text(difference) + " over " + seeds_text(difference.n) + "." + wide;
  }
  return "No difference shown between " + method + " and " + baseline + ": " + seeds_text(difference.n) +
         " leave anything from " + range_text(difference, true) + " AP possible." + wide;
}

void judge(Comparison& comparison) {
  comparison.verdicts.clear();
  comparison.notes.clear();
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    MethodSummary& summary = comparison.summaries[m];
    if (comparison.methods[m].name == comparison.baseline) continue;
    summary.verdict = verdict_on(comparison.methods[m].name, comparison.baseline, summary.all.ap_difference) +
                      class_sentence(comparison, summary);
    const std::string gaps = gaps_of_method(comparison, m);
    if (!gaps.empty()) summary.verdict += " Of its seeds, " + gaps + ".";
  }
  for (const std::string& sentence :
       {best_sentence(comparison), gaps_sentence(comparison),
        group_sentence(comparison, "Better than", [](const Interval& d) { return d.low > 0; }),
        group_sentence(comparison, "Worse than", [](const Interval& d) { return d.high < 0; }),
        group_sentence(comparison, "No difference shown to", [](const Interval& d) { return !d.excludes_zero(); }),
        gap_sentence(comparison)}) {
    if (!sentence.empty()) comparison.verdicts.push_back(sentence);
  }
  add_notes(comparison);
}

}  // namespace conclave
