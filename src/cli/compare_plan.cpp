#include "cli/compare_plan.h"

#include <algorithm>
#include <set>

#include "cli/compare_inputs.h"
#include "cli/compare_methods.h"
#include "cli/compare_names.h"
#include "cli/compare_probes.h"
#include "cli/compare_refusals.h"
#include "cli/compare_sharing.h"
#include "cli/compare_unseen.h"
#include "cli/config_run.h"
#include "cli/finished_training.h"
#include "core/config_table.h"
#include "core/error.h"
#include "core/join.h"
#include "core/real_path.h"
#include "fusion/fuse.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKeys = "conclave compare --help; docs/compare.md and conclave config --reference list every key";

class Planner {
 public:
  Planner(const CompareOptions& options, const MethodSteps& steps) : steps_(steps) {
    plan_.options = options;
    plan_.folder = options.run;
  }

  ComparePlan plan() {
    const CompareOptions& o = plan_.options;
    plan_.facts["name"] = o.name;
    plan_.facts["budget"] = budget_fact();
    add_steps(std::nullopt);
    const bool probing = o.budget == BudgetKind::kSeconds && steps_.empty();
    for (const std::uint64_t seed : o.seeds) {
      add_steps(seed);
      if (!probing) add_runs(seed);
    }
    if (probing) add_probes(o.seeds.front());
    errors_.check(kKeys);
    check_methods(o, model_, errors_);
    check_gap(o, model_, errors_);
    check_idle_options(o, model_, errors_);
    check_test_is_unseen(plan_.tasks, model_.front().test, errors_);
    check_teachers();
    check_refusals(plan_, errors_);
    check_addresses(plan_, errors_);
    check_order();
    errors_.check(kKeys);
    for (std::size_t m = 0; m < o.methods.size(); ++m) {  // from seed by seed to method by method
      for (std::size_t s = 0; s < o.seeds.size() && !by_seed_.empty(); ++s) {
        plan_.runs.push_back(by_seed_[s * o.methods.size() + m]);
      }
    }
    plan_.classes = model_.front().classes;
    plan_.lower = o.lower.empty() ? supervised_by(Method::kIgnore) : o.lower;
    plan_.upper = o.upper.empty() ? supervised_by(Method::kLabels) : o.upper;
    plan_.budget = budget_words();
    return std::move(plan_);
  }

 private:
  Names names(std::uint64_t seed) const { return {plan_.options.run, std::to_string(seed)}; }

  // Reads a configuration as its process will; nothing (and the reason among the errors) where it can't be.
  std::optional<RunOptions> resolve(const std::string& config, const std::vector<std::string>& overrides,
                                    const std::vector<PlacedOverride>& set, const Names& filled,
                                    const ConfigPlace& place, const std::string& what) {
    const ScopedEnvironment scope(filled.fill(plan_.options.environment));
    try {
      return read_run_options(config, overrides);
    } catch (const Error& error) {
      if (refused_.insert(what).second) errors_.add(place, what + ": " + with_places(error.what(), set, filled));
      return std::nullopt;
    }
  }

  // A configuration without what a seed or a folder put into it.
  void add_facts(const std::string& path, const std::string& config, const std::vector<PlacedOverride>& set,
                 const std::vector<std::string>& further) {
    const Names neutral = {"{run}", "0"};
    std::vector<std::string> overrides = neutral.fill(set);
    overrides.insert(overrides.end(), further.begin(), further.end());
    overrides.push_back("run=out");
    const ScopedEnvironment scope(neutral.fill(plan_.options.environment));
    std::map<std::string, std::string> values;
    try {
      values = config_values(resolved_config(config, overrides), config);
    } catch (const Error&) {
      return;  // told by resolve()
    }
    values.erase("run");
    values.erase("seed");
    for (const auto& [key, value] : values) plan_.facts[path + ": " + key] = value;
  }

  // The steps for all seeds, or those of one.
  void add_steps(std::optional<std::uint64_t> seed) {
    const std::uint64_t filled_seed = seed.value_or(plan_.options.seeds.front());
    const Names filled = names(filled_seed);
    for (const PrepareStep& step : plan_.options.prepare) {
      if (step.each_seed != seed.has_value()) continue;
      const std::string path = "prepare." + step.name;
      const std::string file = step.name + (seed ? "-seed" + filled.seed : "");
      PlannedTask task;
      task.name = step.name + (seed ? ", seed " + filled.seed : "");
      task.environment = filled.fill(plan_.options.environment);
      task.log = plan_.folder / "logs" / (file + ".log");
      if (step.train.empty()) {
        for (const std::string& word : step.command) task.words.push_back(filled.fill(word));
        task.marker = plan_.folder / "done" / file;
        task.out = out_of(task.words);
        plan_.facts[path] = join(step.command, " ");
        if (!seed) check_once(step, join(step.command, " "));
      } else {
        const std::vector<std::string> overrides = filled.fill(step.set);
        task.options = resolve(step.train, overrides, step.set, filled, step.place, path);
        if (!task.options) continue;
        task.words = {verb_of(*task.options), step.train};
        task.words.insert(task.words.end(), overrides.begin(), overrides.end());
        task.words.push_back("--resume");
        task.folder = task.options->run;
        task.marker = task.folder / "result.json";
        add_facts(path, step.train, step.set, {});
        check_what_is_there(step, overrides, task, path);
        if (!seed) check_same_folder(step, task.folder);
        check_own_folder(task.folder, step.place, path);
      }
      task.after = waits_for(step, seed);
      made_by_[{step.name, seed ? static_cast<std::int64_t>(*seed) : -1}] = plan_.tasks.size();
      add_task(std::move(task));
    }
  }

  // A command waits for every step above it, a training for the commands above it and those that it names.
  std::vector<std::size_t> waits_for(const PrepareStep& step, std::optional<std::uint64_t> seed) const {
    std::vector<std::size_t> before;
    for (const PrepareStep& above : plan_.options.prepare) {
      if (&above == &step) break;
      const bool named = std::find(step.after.begin(), step.after.end(), above.name) != step.after.end();
      if (!named && !step.train.empty() && !above.train.empty()) continue;
      append_tasks(above, seed, before);
    }
    return before;
  }

  // It waits, too, for every training above whose folder holds what it reads.
  void add_task(PlannedTask task) {
    std::vector<std::string> reads;
    if (task.options) {
      for (const fs::path& input : inputs_of(*task.options)) reads.push_back(real_path(input));
    }
    reads_.push_back(std::move(reads));
    for (std::size_t t = 0; t < plan_.tasks.size(); ++t) {
      if (!reads_from(reads_.size() - 1, t)) continue;
      if (std::find(task.after.begin(), task.after.end(), t) == task.after.end()) task.after.push_back(t);
    }
    makes_.push_back(task.folder.empty() ? std::string() : real_path(task.folder));
    plan_.tasks.push_back(std::move(task));
  }

  bool reads_from(std::size_t task, std::size_t maker) const {
    return !makes_[maker].empty() && std::any_of(reads_[task].begin(), reads_[task].end(),
                                                 [&](const std::string& path) { return lies_in(path, makes_[maker]); });
  }

  // What a training reads must be made before it.
  void check_order() {
    for (std::size_t t = 0; t < plan_.tasks.size(); ++t) {
      for (std::size_t later = t; later < plan_.tasks.size(); ++later) {
        const PlannedTask& task = plan_.tasks[t];
        if (!reads_from(t, later)) continue;
        errors_.add({task.words[1], 0, 0}, task.name + " reads what " + plan_.tasks[later].name +
                                               " makes, which comes later: write that one above it");
      }
    }
  }

  void check_what_is_there(const PrepareStep& step, const std::vector<std::string>& overrides, const PlannedTask& task,
                           const std::string& path) {
    if (!task.done()) return;
    const ScopedEnvironment scope(task.environment);
    const std::string against = not_the_training(task.folder, step.train, overrides);
    if (against.empty()) return;
    errors_.add(step.place, path + " is there already, but " + against + "; set it back, or give the step another run");
  }

  void append_tasks(const PrepareStep& step, std::optional<std::uint64_t> seed, std::vector<std::size_t>& to) const {
    const std::int64_t key = step.each_seed && seed ? static_cast<std::int64_t>(*seed) : -1;
    const auto found = made_by_.find({step.name, key});
    if (found != made_by_.end()) to.push_back(found->second);
  }

  static std::string verb_of(const RunOptions& options) {
    return needs_teachers(options.fusion.method) ? "distill" : "train";
  }

  void check_once(const PrepareStep& step, const std::string& text) {
    if (text.find("{seed}") == std::string::npos) return;
    errors_.add(step.place, "prepare." + step.name + " uses {seed}, but runs once: say each_seed: true");
  }

  void check_same_folder(const PrepareStep& step, const fs::path& folder) {
    for (const std::uint64_t seed : plan_.options.seeds) {
      const Names filled = names(seed);
      const auto other =
          resolve(step.train, filled.fill(step.set), step.set, filled, step.place, "prepare." + step.name);
      if (!other || fs::path(other->run) == folder) continue;
      errors_.add(step.place, "prepare." + step.name + " runs once, but its folder depends on the seed: say " +
                                  "each_seed: true, or set run");
      return;
    }
  }

  void check_own_folder(const fs::path& folder, const ConfigPlace& place, const std::string& what) {
    const std::string path = fs::weakly_canonical(folder).string();
    const auto [found, fresh] = folders_.try_emplace(path, what);
    if (!fresh) errors_.add(place, what + " writes into the folder of " + found->second + ": " + folder.string());
  }

  std::optional<RunOptions> without_budget(const CompareMethod& method, const Names& filled) {
    std::vector<std::string> overrides = filled.fill(method.set);
    overrides.push_back("run=" + yaml_quote(plan_.folder.string()));
    return resolve(method.config, overrides, method.set, filled, method.place, "methods." + method.name);
  }

  std::vector<std::string> budget_overrides(const CompareMethod& method, const Names& filled) {
    if (plan_.options.budget == BudgetKind::kSeconds && !steps_.empty()) {
      const auto configured = without_budget(method, filled);
      if (!configured) return {};
      const int steps = steps_.at(method.name);
      return {"training.steps=" + std::to_string(steps),
              "training.warmup=" + std::to_string(std::min(configured->training.schedule.warmup, steps / 10))};
    }
    if (plan_.options.budget != BudgetKind::kImages) return {};
    const auto options = without_budget(method, filled);
    if (!options) return {};
    if (plan_.options.images % options->training.batch != 0) {
      if (refused_.insert(method.name).second) {
        errors_.add(method.place, "methods." + method.name + ": budget.images, " +
                                      std::to_string(plan_.options.images) + ", is not a multiple of its batch, " +
                                      std::to_string(options->training.batch));
      }
      return {};
    }
    return {"training.steps=" + std::to_string(plan_.options.images / options->training.batch)};
  }

  void add_method(const CompareMethod& method, std::uint64_t seed, const std::string& name, const std::string& file,
                  const fs::path& folder, const std::vector<std::string>& further) {
    const Names filled = names(seed);
    std::vector<std::string> overrides = filled.fill(method.set);
    overrides.insert(overrides.end(), further.begin(), further.end());
    overrides.push_back("run=" + yaml_quote(folder.string()));
    overrides.push_back("seed=" + std::to_string(seed + static_cast<std::uint64_t>(method.seed_shift)));
    PlannedTask task;
    task.name = name;
    task.environment = filled.fill(plan_.options.environment);
    task.log = plan_.folder / "logs" / (file + ".log");
    task.folder = folder;
    task.marker = folder / "result.json";
    task.options = resolve(method.config, overrides, method.set, filled, method.place, "methods." + method.name);
    if (!task.options) return;
    if (plan_.options.share_views && needs_teachers(task.options->fusion.method) &&
        task.options->service.store.mode == StoreMode::kOff) {
      overrides.push_back("service.store.mode=auto");
      overrides.push_back("service.store.folder=" +
                          yaml_quote((plan_.folder / "targets" / ("seed" + filled.seed)).string()));
    }
    task.words = {verb_of(*task.options), method.config};
    task.words.insert(task.words.end(), overrides.begin(), overrides.end());
    task.words.push_back("--resume");
    for (const PrepareStep& step : plan_.options.prepare) append_tasks(step, seed, task.after);
    add_task(std::move(task));
  }

  void add_runs(std::uint64_t seed) {
    std::vector<std::size_t> asked_before;
    for (const CompareMethod& method : plan_.options.methods) {
      const Names filled = names(seed);
      const std::vector<std::string> further = budget_overrides(method, filled);
      const std::size_t index = plan_.tasks.size();
      add_method(method, seed, method.name + ", seed " + filled.seed, method.name + "-seed" + filled.seed,
                 plan_.folder / "runs" / method.name / ("seed" + filled.seed), further);
      if (plan_.tasks.size() == index) continue;
      by_seed_.push_back(index);
      PlannedTask& task = plan_.tasks[index];
      task.may_fail = method.may_fail;
      check_own_folder(task.folder, method.place, "methods." + method.name);
      if (seed == plan_.options.seeds.front()) {
        model_.push_back(*task.options);
        add_facts("methods." + method.name, method.config, method.set, further);
        plan_.facts["methods." + method.name + ": seed_shift"] = std::to_string(method.seed_shift);
      }
      if (!plan_.options.share_views || !needs_teachers(task.options->fusion.method)) continue;
      wait_for_targets(task, plan_.tasks, asked_before);
      asked_before.push_back(index);
    }
  }

  // Last and one after another: nothing else takes their time.
  void add_probes(std::uint64_t seed) {
    for (const CompareMethod& method : plan_.options.methods) {
      const std::size_t index = plan_.tasks.size();
      add_method(method, seed, method.name + ", probe", method.name + "-probe", plan_.folder / "probe" / method.name,
                 {"training.steps=" + std::to_string(kProbeSteps), "training.warmup=0",
                  "training.log_every=" + std::to_string(kProbeRowSteps)});
      if (plan_.tasks.size() == index) continue;
      for (std::size_t before = 0; before < index; ++before) plan_.tasks[index].after_any.push_back(before);
      model_.push_back(*plan_.tasks[index].options);
      plan_.probes.push_back(index);
      add_facts("probes." + method.name, method.config, method.set, {});  // a finished one is not made again
    }
  }

  // Weights that nobody will have made by then.
  void check_teachers() {
    const MadeFiles made(plan_.tasks);
    for (const PlannedTask& task : plan_.tasks) {
      if (!task.options || !needs_teachers(task.options->fusion.method)) continue;
      for (const TeacherOptions& teacher : task.options->teachers) {
        if (teacher.weights.empty() || fs::exists(teacher.weights) || made.may_hold(teacher.weights)) continue;
        if (!missing_.insert(teacher.weights).second) continue;
        errors_.add({task.words[1], 0, 0}, task.name + ": teacher " + teacher.name + ": " + teacher.weights +
                                               " is not there, and no step under prepare trains it");
      }
    }
  }

  std::string supervised_by(Method method) const {
    for (std::size_t m = 0; m < model_.size(); ++m) {
      if (model_[m].fusion.method == method) return plan_.options.methods[m].name;
    }
    return {};
  }

  std::string budget_fact() const {
    switch (plan_.options.budget) {
      case BudgetKind::kImages:
        return std::to_string(plan_.options.images) + " images";
      case BudgetKind::kSeconds:
        return shortest(plan_.options.seconds) + " seconds";
      case BudgetKind::kBase:
      case BudgetKind::kOwn:
        return "as configured";
    }
    return {};
  }

  std::string budget_words() const {
    if (plan_.options.budget == BudgetKind::kOwn) return "each method its own";
    if (plan_.options.budget == BudgetKind::kSeconds) {
      return shortest(plan_.options.seconds) + " s of training for every method, by the rate of a probe that ran alone";
    }
    const RunOptions& first = model_.front();
    const std::string images = std::to_string(images_of(first)) + " images for every method";
    const bool same = std::all_of(model_.begin(), model_.end(), [&](const RunOptions& other) {
      return other.training.batch == first.training.batch;
    });
    if (!same) return images;
    return images + " (" + std::to_string(first.training.schedule.steps) + " steps of " +
           std::to_string(first.training.batch) + ")";
  }

  const MethodSteps& steps_;
  ComparePlan plan_;
  ConfigErrors errors_;
  std::vector<std::vector<std::string>> reads_;                          // real paths, by task
  std::vector<std::string> makes_;                                       // folder of each task, may be empty
  std::vector<RunOptions> model_;                                        // by method, of the first seed
  std::vector<std::size_t> by_seed_;                                     // tasks, seeds outer
  std::map<std::pair<std::string, std::int64_t>, std::size_t> made_by_;  // tasks of steps by name and seed, -1: once
  std::map<std::string, std::string> folders_;                           // who writes there
  std::set<std::string> refused_, missing_;                              // told once
};

}  // namespace

ComparePlan plan_comparison(const CompareOptions& options, const MethodSteps& steps) {
  return Planner(options, steps).plan();
}

}  // namespace conclave
