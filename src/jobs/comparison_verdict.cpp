#include "jobs/comparison_verdict.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/join.h"
#include "jobs/comparison_notes.h"
#include "jobs/interval_text.h"

namespace conclave {
namespace {

constexpr double kPoints = 100;

std::string plain(double share, int decimals) {
  return plain_number(kPoints * share, decimals);
}

bool is_nothing(const Interval& difference) {
  return difference.low == 0 && difference.high == 0;
}

std::string seeds_text(int n) {
  return n == 1 ? "one seed" : std::to_string(n) + " seeds";
}

std::string ap50_verdict(const std::string& method, const Interval& difference) {
  if (!difference.excludes_zero()) return {};
  return " In AP50 " + method + " is " + (difference.low > 0 ? "better" : "worse") + ": " +
         difference_text(difference, "AP50") + ".";
}

// The classes on which the method's interval excludes zero, beside what the mean says.
std::string class_sentence(const Comparison& comparison, const MethodSummary& summary) {
  std::vector<std::string> found;
  for (std::size_t c = 0; c < comparison.classes.size(); ++c) {
    const Interval& difference = summary.per_class[c].ap_difference;
    if (difference.n >= 2 && difference.excludes_zero()) {
      found.push_back(comparison.classes[c] + " " + difference_text(difference, "AP"));
    }
  }
  if (found.empty() || comparison.classes.size() < 2) return {};
  return " Single classes whose interval of AP excludes zero: " + join(found) + ".";
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
  if (best == nullptr) {
    const bool any = std::any_of(comparison.runs.begin(), comparison.runs.end(),
                                 [](const ComparedRun& run) { return run.state == RunState::kDone; });
    return any ? "No finished run has an AP: the test set shows no object of the classes." : "No run is finished yet.";
  }
  std::string text = "The highest mean AP is that of " + name + ": " + plain(best->all.ap.mean, 1);
  if (best->all.ap.bounded()) text += " [" + plain(best->all.ap.low, 1) + " to " + plain(best->all.ap.high, 1) + "]";
  return text + " over " + seeds_text(best->all.ap.n) + ".";
}

std::string group_sentence(const Comparison& comparison, const std::string& intro, bool (*belongs)(const Interval&)) {
  std::vector<std::string> found;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const Interval& difference = comparison.summaries[m].all.ap_difference;
    if (comparison.methods[m].name == comparison.baseline || difference.n < 2 || !belongs(difference)) continue;
    found.push_back(comparison.methods[m].name + " (" + difference_text(difference, "AP") + ")");
  }
  return found.empty() ? "" : intro + " " + comparison.baseline + ": " + join(found) + ".";
}

// Methods that differ in AP50 where their AP does not tell.
std::string ap50_sentence(const Comparison& comparison) {
  std::vector<std::string> found;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const ScoreSummary& all = comparison.summaries[m].all;
    if (!all.ap50_difference.excludes_zero() || all.ap_difference.excludes_zero()) continue;
    found.push_back(comparison.methods[m].name + " (" + difference_text(all.ap50_difference, "AP50") + ")");
  }
  return found.empty() ? "" : "Different from " + comparison.baseline + " in AP50, not in AP: " + join(found) + ".";
}

// Which share of the gap is closed, or why none is told.
std::string gap_sentence(const Comparison& comparison) {
  if (comparison.gap.n == 0) return {};
  const std::string gap = "the gap between " + comparison.lower + " and " + comparison.upper;
  if (!(comparison.gap.low > 0)) {
    return "No share of " + gap + " is told, for there " + (comparison.gap.high < 0 ? "is" : "may be") +
           " none: " + comparison.upper + " less " + comparison.lower + " is " + difference_text(comparison.gap, "AP") +
           " over " + seeds_text(comparison.gap.n) + ".";
  }
  std::vector<std::string> found, unknown;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const Interval& share = comparison.summaries[m].gap_closed;
    const std::string& name = comparison.methods[m].name;
    if (share.bounded()) {
      found.push_back(name + " " + plain(share.mean, 0) + " % [" + plain(share.low, 0) + ", " + plain(share.high, 0) +
                      "]");
    } else if (name != comparison.lower && name != comparison.upper) {
      unknown.push_back(name);
    }
  }
  std::string text = found.empty() ? "" : "Share of " + gap + " that is closed: " + join(found) + ".";
  if (!unknown.empty()) {
    text += (text.empty() ? "Too" : " Too") + std::string(" few seeds tell the share of ") + gap + " for " +
            join(unknown) + ".";
  }
  return text;
}

// Methods that are better than the upper one.
std::string bound_sentence(const Comparison& comparison) {
  if (comparison.lower.empty() || comparison.upper.empty()) return {};
  std::vector<std::string> above;
  for (const MethodPair& pair : comparison.pairs) {
    const std::string &first = comparison.methods[pair.method].name, &second = comparison.methods[pair.other].name;
    if (first == comparison.upper && pair.ap.high < 0) above.push_back(second);
    if (second == comparison.upper && pair.ap.low > 0) above.push_back(first);
  }
  if (above.empty()) return {};
  return comparison.upper + " is no upper bound at this budget: its AP is below that of " + join(above) + ".";
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

}  // namespace

std::string difference_text(const Interval& difference, const std::string& score) {
  const SignedInterval text = signed_interval(scaled(difference, kPoints));
  return text.mean + " " + score + (difference.bounded() ? " [" + text.low + ", " + text.high + "]" : "");
}

std::string verdict_on(const std::string& method, const std::string& baseline, const Interval& difference) {
  if (difference.n == 0) return "Not compared: no seed has finished runs of both " + method + " and " + baseline + ".";
  if (difference.n == 1) {
    return "No judgement: in the one seed that both have, " + method + " differs from " + baseline + " by " +
           difference_text(difference, "AP") + ", and one seed tells nothing about chance.";
  }
  const std::string wide = difference.n == 2 ? " Two seeds make the interval wide." : "";
  if (difference.excludes_zero()) {
    return method + " is " + (difference.low > 0 ? "better" : "worse") + " than " + baseline + ": " +
           difference_text(difference, "AP") + " over " + seeds_text(difference.n) + "." + wide;
  }
  const SignedInterval text = signed_interval(scaled(difference, kPoints));
  return "No difference in AP shown between " + method + " and " + baseline + ": " + seeds_text(difference.n) +
         " leave anything from " + text.low + " to " + text.high + " AP possible." + wide;
}

void judge(Comparison& comparison) {
  comparison.verdicts.clear();
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    MethodSummary& summary = comparison.summaries[m];
    if (comparison.methods[m].name == comparison.baseline) continue;
    const std::string& name = comparison.methods[m].name;
    const ScoreSummary& all = summary.all;
    summary.verdict = all.ap.mean > 0 && is_nothing(all.ap_difference) && is_nothing(all.ap50_difference)
                          ? name + " has exactly the AP and AP50 of " + comparison.baseline + " with each of " +
                                seeds_text(all.ap_difference.n) + ": what sets them apart had no effect."
                          : verdict_on(name, comparison.baseline, all.ap_difference) +
                                ap50_verdict(name, all.ap50_difference) + class_sentence(comparison, summary);
    const std::string gaps = gaps_of_method(comparison, m);
    if (!gaps.empty()) summary.verdict += " Of its seeds, " + gaps + ".";
  }
  for (const std::string& sentence :
       {best_sentence(comparison), gaps_sentence(comparison),
        group_sentence(comparison, "Better than", [](const Interval& d) { return d.low > 0; }),
        group_sentence(comparison, "Worse than", [](const Interval& d) { return d.high < 0; }),
        group_sentence(comparison, "No difference in AP shown to",
                       [](const Interval& d) { return !d.excludes_zero(); }),
        ap50_sentence(comparison), gap_sentence(comparison), bound_sentence(comparison)}) {
    if (!sentence.empty()) comparison.verdicts.push_back(sentence);
  }
  comparison.notes = notes_on(comparison);
}

}  // namespace conclave
