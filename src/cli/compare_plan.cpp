#include "cli/compare_plan.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "cli/config_run.h"
#include "core/config_table.h"
#include "core/error.h"
#include "core/join.h"
#include "jobs/run_files.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
using Environment = std::vector<std::pair<std::string, std::string>>;

constexpr int kProbeSteps = 40;
constexpr int kProbeRowSteps = 5;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// What {run} and {seed} stand for.
struct Names {
  std::string run, seed;

  std::string fill(const std::string& text) const { return replaced(replaced(text, "{run}", run), "{seed}", seed); }

  Environment fill(const Environment& environment) const {
    Environment filled;
    for (const auto& [name, value] : environment) filled.emplace_back(name, fill(value));
    return filled;
  }

  std::vector<std::string> fill(const std::vector<PlacedOverride>& overrides) const {
    std::vector<std::string> filled;
    for (const PlacedOverride& each : overrides) filled.push_back(fill(each.text));
    return filled;
  }
};

// Variables of this process, as they were before once it ends: configurations are read with those of their run.
class ScopedEnvironment {
 public:
  explicit ScopedEnvironment(const Environment& variables) {
    for (const auto& [name, value] : variables) {
      const char* old = std::getenv(name.c_str());
      before_.emplace_back(name, old == nullptr ? std::nullopt : std::optional<std::string>(old));
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~ScopedEnvironment() {
    for (auto it = before_.rbegin(); it != before_.rend(); ++it) {
      if (it->second) {
        ::setenv(it->first.c_str(), it->second->c_str(), 1);
      } else {
        ::unsetenv(it->first.c_str());
      }
    }
  }
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

// What is wrong with a run's configuration, told by where the comparison wrote it.
std::string with_places(std::string text, const std::vector<PlacedOverride>& set, const Names& names) {
  text = text.substr(0, text.find("\n  hint:"));
  for (const PlacedOverride& each : set)
    text = replaced(text, "command line: " + names.fill(each.text), each.place.text());
  return replaced(text, "\n", "\n  ");
}

// Every value of a resolved configuration by its path.
void flatten(const ConfigNode& node, const std::string& path, std::map<std::string, std::string>& values) {
  if (node.kind == ConfigNode::Kind::kScalar) values[path] = node.scalar;
  if (node.kind == ConfigNode::Kind::kList) values[path + ".size"] = std::to_string(node.items.size());
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    flatten(node.items[i], path + "." + std::to_string(i), values);
  }
  for (const ConfigEntry& entry : node.entries) {
    flatten(entry.value, (path.empty() ? "" : path + ".") + entry.key, values);
  }
}

bool sets(const std::vector<PlacedOverride>& overrides, const std::string& key) {
  return std::any_of(overrides.begin(), overrides.end(),
                     [&](const PlacedOverride& each) { return each.text.rfind(key + "=", 0) == 0; });
}

std::int64_t images_of(const RunOptions& options) {
  return static_cast<std::int64_t>(options.training.schedule.steps) * options.training.batch;
}

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
    bool first = true;
    for (const std::uint64_t seed : o.seeds) {
      add_steps(seed);
      if (o.budget == BudgetKind::kSeconds && steps_.empty()) {
        if (first) add_probes(seed);
      } else {
        add_runs(seed);
      }
      first = false;
    }
    errors_.check();
    check_methods();
    check_teachers();
    errors_.check();
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
    ConfigErrors errors;
    std::map<std::string, std::string> values;
    try {
      flatten(parse_config(resolved_config(config, overrides), config, errors), {}, values);
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
        if (!seed) check_same_folder(step, task.folder);
        check_own_folder(task.folder, step.place, path);
      }
      task.after = waits_for(step, seed);
      made_by_[{step.name, seed ? static_cast<std::int64_t>(*seed) : -1}] = plan_.tasks.size();
      plan_.tasks.push_back(std::move(task));
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

  std::vector<std::string> budget_overrides(const CompareMethod& method, const Names& filled) {
    if (plan_.options.budget == BudgetKind::kSeconds && !steps_.empty()) {
      return {"training.steps=" + std::to_string(steps_.at(method.name))};
    }
    if (plan_.options.budget != BudgetKind::kImages) return {};
    std::vector<std::string> overrides = filled.fill(method.set);
    overrides.push_back("run=" + yaml_quote(plan_.folder.string()));
    const auto options = resolve(method.config, overrides, method.set, filled, method.place, "methods." + method.name);
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
    plan_.tasks.push_back(std::move(task));
  }

  void add_runs(std::uint64_t seed) {
    std::optional<std::size_t> asked_before;
    for (const CompareMethod& method : plan_.options.methods) {
      const Names filled = names(seed);
      const std::vector<std::string> further = budget_overrides(method, filled);
      const std::size_t index = plan_.tasks.size();
      add_method(method, seed, method.name + ", seed " + filled.seed, method.name + "-seed" + filled.seed,
                 plan_.folder / "runs" / method.name / ("seed" + filled.seed), further);
      if (plan_.tasks.size() == index) continue;
      by_seed_.push_back(index);
      PlannedTask& task = plan_.tasks[index];
      check_own_folder(task.folder, method.place, "methods." + method.name);
      if (seed == plan_.options.seeds.front()) {
        model_.push_back(*task.options);
        add_facts("methods." + method.name, method.config, method.set, further);
        plan_.facts["methods." + method.name + ": seed_shift"] = std::to_string(method.seed_shift);
      }
      if (!plan_.options.share_views || !needs_teachers(task.options->fusion.method)) continue;
      if (asked_before) task.after_any.push_back(*asked_before);  // what it asks for is stored by then
      asked_before = index;
    }
  }

  void add_probes(std::uint64_t seed) {
    for (const CompareMethod& method : plan_.options.methods) {
      const std::size_t index = plan_.tasks.size();
      add_method(method, seed, method.name + ", probe", method.name + "-probe", plan_.folder / "probe" / method.name,
                 {"training.steps=" + std::to_string(kProbeSteps), "training.warmup=0",
                  "training.log_every=" + std::to_string(kProbeRowSteps)});
      if (plan_.tasks.size() == index) continue;
      model_.push_back(*plan_.tasks[index].options);
      plan_.probes.push_back(index);
    }
  }

  // REQUIRES: every method could be resolved.
  void check_methods() {
    const std::vector<CompareMethod>& methods = plan_.options.methods;
    const RunOptions& first = model_.front();
    for (std::size_t m = 0; m < methods.size(); ++m) {
      const RunOptions& own = model_[m];
      const std::string name = "methods." + methods[m].name;
      const auto fail = [&](const std::string& what) { errors_.add(methods[m].place, name + what); };
      if (own.test.name.empty()) fail(" has no data.test: a comparison needs a labelled set to judge by");
      if (own.classes != first.classes) {
        fail(" has the classes " + join(own.classes) + ", but " + methods[0].name + " has " + join(first.classes));
      }
      if (own.test.images != first.test.images || own.test.annotations != first.test.annotations ||
          own.test.limit != first.test.limit) {
        fail(" is tested on another data.test than " + methods[0].name);
      }
      if (plan_.options.share_views && plan_.options.budget == BudgetKind::kSeconds) {
        fail(": views.shared and budget.seconds don't go together: what is stored already takes no time");
      }
      const bool given = plan_.options.budget == BudgetKind::kImages || plan_.options.budget == BudgetKind::kSeconds;
      if (given && sets(methods[m].set, "training.steps")) {
        fail(
            " sets training.steps, but the budget does: take one of them out (budget: own lets every method have its "
            "own)");
      }
      if (plan_.options.budget == BudgetKind::kBase && images_of(own) != images_of(first)) {
        fail(" sees " + std::to_string(images_of(own)) + " images in its training, but " + methods[0].name + " sees " +
             std::to_string(images_of(first)) + ": runs of different budgets; give all the same with " +
             "budget: {images: N}, or say budget: own");
      }
    }
  }

  // Weights that nobody will have made by then.
  void check_teachers() {
    for (const PlannedTask& task : plan_.tasks) {
      if (!task.options || !needs_teachers(task.options->fusion.method)) continue;
      if (task.options->teachers.empty()) errors_.add({task.words[1], 0, 0}, task.name + ": no teachers are given");
      for (const TeacherOptions& teacher : task.options->teachers) {
        if (teacher.weights.empty() || fs::exists(teacher.weights) || is_made(teacher.weights)) continue;
        if (!missing_.insert(teacher.weights).second) continue;
        errors_.add({task.words[1], 0, 0}, task.name + ": teacher " + teacher.name + ": " + teacher.weights +
                                               " is not there, and no step under prepare trains it");
      }
    }
  }

  bool is_made(const fs::path& weights) const {
    const std::string path = fs::weakly_canonical(weights).string();
    const bool commands = std::any_of(plan_.options.prepare.begin(), plan_.options.prepare.end(), [](const auto& step) {
      return !step.command.empty() && step.command[0] != "data";
    });
    return commands || std::any_of(folders_.begin(), folders_.end(),
                                   [&](const auto& folder) { return path.rfind(folder.first + "/", 0) == 0; });
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
      return shortest(plan_.options.seconds) + " s of training for every method, by the rate of a probe";
    }
    const RunOptions& first = model_.front();
    return std::to_string(images_of(first)) + " images for every method (" +
           std::to_string(first.training.schedule.steps) + " steps of " + std::to_string(first.training.batch) + ")";
  }

  const MethodSteps& steps_;
  ComparePlan plan_;
  ConfigErrors errors_;
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

MethodSteps steps_from_probes(const ComparePlan& plan) {
  MethodSteps steps;
  for (std::size_t m = 0; m < plan.probes.size(); ++m) {
    const PlannedTask& probe = plan.tasks[plan.probes[m]];
    std::vector<double> rates;
    for (const TrainingRow& row : read_run_metrics(probe.folder).training) {
      if (row.step > kProbeRowSteps && row.images_per_second > 0) rates.push_back(row.images_per_second);
    }
    if (rates.empty())
      throw Error("the probe logged no rate", probe.folder.string(), "remove the folder and try again");
    std::nth_element(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2), rates.end());
    const double images = plan.options.seconds * rates[rates.size() / 2];
    steps[plan.options.methods[m].name] = std::max(1, static_cast<int>(images / probe.options->training.batch));
  }
  return steps;
}

}  // namespace conclave
