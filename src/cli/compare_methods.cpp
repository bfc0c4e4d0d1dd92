#include "cli/compare_methods.h"

#include <algorithm>
#include <optional>

#include "cli/idle_options.h"
#include "core/join.h"

namespace conclave {
namespace {

bool sets(const std::vector<PlacedOverride>& overrides, const std::string& key) {
  return std::any_of(overrides.begin(), overrides.end(),
                     [&](const PlacedOverride& each) { return each.text.rfind(key + "=", 0) == 0; });
}

// key itself or a key below it; "fusion.label" is not "fusion.labelled".
bool is_below(const std::string& text, const std::string& key) {
  return text.starts_with(key + "=") || text.starts_with(key + ".");
}

bool set_by_every_method(const CompareOptions& options, const std::string& text) {
  return std::all_of(options.methods.begin(), options.methods.end(), [&](const CompareMethod& method) {
    return std::any_of(method.set.begin(), method.set.end(),
                       [&](const PlacedOverride& each) { return each.text == text; });
  });
}

}  // namespace

std::int64_t images_of(const RunOptions& options) {
  return static_cast<std::int64_t>(options.training.schedule.steps) * options.training.batch;
}

void check_methods(const CompareOptions& options, const std::vector<RunOptions>& resolved, ConfigErrors& errors) {
  const std::vector<CompareMethod>& methods = options.methods;
  const RunOptions& first = resolved.front();
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const RunOptions& own = resolved[m];
    const std::string name = "methods." + methods[m].name;
    const auto fail = [&](const std::string& what) { errors.add(methods[m].place, name + what); };
    if (own.test.name.empty()) fail(" has no data.test: a comparison needs a labelled set to judge by");
    if (own.classes != first.classes) {
      fail(" has the classes " + join(own.classes) + ", but " + methods[0].name + " has " + join(first.classes));
    }
    if (own.test.images != first.test.images || own.test.annotations != first.test.annotations ||
        own.test.limit != first.test.limit || own.test.labelled != first.test.labelled ||
        own.test.all_labelled != first.test.all_labelled) {
      fail(" is tested on another data.test than " + methods[0].name);
    }
    if (options.share_views && options.budget == BudgetKind::kSeconds) {
      fail(": views.shared and budget.seconds don't go together: what is stored already takes no time");
    }
    if (methods[m].may_fail && options.budget == BudgetKind::kSeconds) {
      fail(": may_fail and budget.seconds don't go together: a probe that fails gives no rate; give budget.images");
    }
    const bool given = options.budget == BudgetKind::kImages || options.budget == BudgetKind::kSeconds;
    if (given && sets(methods[m].set, "training.steps")) {
      fail(
          " sets training.steps, but the budget does: take one of them out (budget: own lets every method have its "
          "own)");
    }
    if (options.budget == BudgetKind::kBase && images_of(own) != images_of(first)) {
      fail(" sees " + std::to_string(images_of(own)) + " images in its training, but " + methods[0].name + " sees " +
           std::to_string(images_of(first)) + ": runs of different budgets; give all the same with " +
           "budget: {images: N}, or say budget: own");
    }
  }
}

void check_gap(const CompareOptions& options, const std::vector<RunOptions>& resolved, ConfigErrors& errors) {
  const auto method_of = [&](const std::string& name) {
    for (std::size_t m = 0; m < resolved.size(); ++m) {
      if (options.methods[m].name == name) return std::optional(resolved[m].fusion.method);
    }
    return std::optional<Method>();
  };
  if (method_of(options.lower) != Method::kLabels || method_of(options.upper) != Method::kIgnore) return;
  errors.add({options.file, 0, 0}, "gap goes from " + options.lower + ", all labels, up to " + options.upper +
                                       ", some of them: write [" + options.upper + ", " + options.lower + "]");
}

void check_idle_options(const CompareOptions& options, const std::vector<RunOptions>& resolved, ConfigErrors& errors) {
  for (std::size_t m = 0; m < options.methods.size(); ++m) {
    for (const IdleOption& idle : idle_options(resolved.at(m))) {
      for (const PlacedOverride& each : options.methods[m].set) {
        if (!is_below(each.text, idle.key) || set_by_every_method(options, each.text)) continue;
        errors.add(each.place, options.methods[m].name + ": " + each.text + " " + idle.why);
      }
    }
  }
}

}  // namespace conclave
