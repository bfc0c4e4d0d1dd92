#include "cli/compare_refusals.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "cli/compare_inputs.h"
#include "cli/program.h"
#include "cli/run_teachers.h"
#include "cli/teacher_side.h"
#include "core/error.h"
#include "core/join.h"
#include "core/real_path.h"
#include "core/tensor_file.h"
#include "datasets/coco_file.h"
#include "fusion/fuse.h"
#include "student/pseudo.h"
#include "student/teacher_weights.h"
#include "student/trainer.h"
#include "teachers/engine.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

bool has(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool ends_with_any(const std::string& text, const Names& ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const std::string& end) { return text.ends_with(end); });
}

// Addresses that a training takes for itself, each with its key.
Names own_addresses(const RunOptions& options) {
  Names addresses;
  const ServiceOptions& service = options.service;
  const std::string& bind = service.remote.bind;
  const bool listens = needs_teachers(options.fusion.method) && service.source == "remote";
  if (listens && !bind.starts_with("inproc:") && !ends_with_any(bind, {":*", ":0", "//*"})) {
    addresses.push_back("service.bind " + bind);
  }
  if (service.status != "off" && !service.status.ends_with(":0"))
    addresses.push_back("service.status " + service.status);
  return addresses;
}

class Refusals {
 public:
  Refusals(const ComparePlan& plan, ConfigErrors& errors)
      : file_(plan.options.file),
        methods_(plan.options.methods),
        tasks_(plan.tasks),
        made_(plan.tasks),
        errors_(errors) {}

  void check(const PlannedTask& task) {
    try {
      if (task.options) {
        check_training(task, *task.options);
      } else if (const std::string why = why_no_command(task.words); !why.empty()) {
        add(task, why);
      }
    } catch (const Error& error) {
      add(task, error.what());
    }
  }

 private:
  // "kd" of "kd, seed 0".
  static std::string kind_of(const PlannedTask& task) { return task.name.substr(0, task.name.find(',')); }

  void add(const PlannedTask& task, const std::string& why) {
    const std::string kind = kind_of(task);  // once for all seeds
    if (told_.insert(kind + why).second) errors_.add({task.options ? task.words[1] : file_, 0, 0}, kind + ": " + why);
  }

  void check_training(const PlannedTask& task, const RunOptions& options) {
    const FusionOptions& fusion = options.fusion;
    check_options(options, World());
    if (needs_teachers(fusion.method)) effective_floor(fusion);
    check_teachers(options, task.words[1]);
    check_files(task, options);
    const auto sets = sets_of(options);
    const auto teachers = teachers_of(options);
    if (!sets || !teachers) return;
    const Coverage coverage = derive_coverage(fusion.method, fusion.both, options.classes, *sets, *teachers);
    if (!options.val.name.empty() && !fs::is_regular_file(options.val.annotations)) return;
    const std::optional<Dataset>& val = loaded(options.val, options.classes);
    if (fusion.method == Method::kPseudo) check_thresholds({options, {}, val, coverage, *teachers});
    check_weights(options, val, *teachers);
  }

  // What no step makes is there now, and must be what it is taken for.
  void check_files(const PlannedTask& task, const RunOptions& options) {
    if (task.done()) return;
    const std::string& init = options.training.init;
    if (is_given(init) && looked_at_.insert(init).second) TensorFile::open(init);
    for (const DatasetOptions& set : options.train) {
      if (is_given(set) && looked_at_.insert(key_of(set, options.classes)).second) load_dataset(set, options.classes);
    }
    const bool judges = is_method(task);  // a step's test set may have nothing to find
    const std::string key = (judges ? "judge\n" : "test\n") + key_of(options.test, options.classes);
    if (!is_given(options.test) || !looked_at_.insert(key).second) return;
    const Dataset test = load_dataset(options.test, options.classes);
    for (std::size_t c = 0; c < options.classes.size(); ++c) {
      if (!judges || (test.labelled[c] && shows(test, static_cast<int>(c)))) return;
    }
    add(task, "data.test (" + options.test.annotations + ") has no labelled object of " + join(options.classes) +
                  ": there is nothing to judge by");
  }

  bool is_method(const PlannedTask& task) const {
    const std::string kind = kind_of(task);
    return std::any_of(methods_.begin(), methods_.end(),
                       [&](const CompareMethod& method) { return method.name == kind; });
  }

  bool is_given(const std::string& path) const { return fs::is_regular_file(path) && !made_.may_hold(path); }
  bool is_given(const DatasetOptions& set) const {
    return is_given(set.annotations) && fs::is_directory(set.images) && !made_.may_hold(set.images);
  }

  static std::string key_of(const DatasetOptions& set, const Names& classes) {
    std::string key;
    for (const Names& words : {{set.images, set.annotations}, set.labelled, classes}) {
      for (const std::string& word : words) key += word + '\n';
      key += '\n';
    }
    return key + std::to_string(set.limit) + (set.all_labelled ? " all" : "");
  }

  const std::optional<Dataset>& loaded(const DatasetOptions& options, const Names& classes) {
    const std::string key = options.name.empty() ? "" : key_of(options, classes);
    const auto known = loaded_.find(key);
    if (known != loaded_.end()) return known->second;
    std::optional<Dataset> set;
    if (!key.empty()) set = load_dataset(options, classes);
    return loaded_[key] = std::move(set);
  }

  // Nothing where a file that is not there yet decides.
  std::optional<std::vector<CoveredSet>> sets_of(const RunOptions& options) {
    std::vector<CoveredSet> sets;
    for (const DatasetOptions& set : options.train) {
      if (set.all_labelled && !fs::is_regular_file(set.annotations)) return std::nullopt;
      const Names labelled = set.all_labelled ? categories(set.annotations) : set.labelled;
      CoveredSet& covered = sets.emplace_back();
      covered.name = set.name;
      for (const std::string& cls : options.classes) covered.labelled.push_back(has(labelled, cls));
    }
    return sets;
  }

  std::optional<std::vector<TeacherChannels>> teachers_of(const RunOptions& options) {
    std::vector<TeacherChannels> teachers;
    if (!needs_teachers(options.fusion.method)) return teachers;
    for (const TeacherOptions& teacher : options.teachers) {
      const Names classes = classes_of(teacher);
      if (classes.empty()) return std::nullopt;
      teachers.push_back(map_classes(teacher, classes, options.classes));
    }
    return teachers;
  }

  // Empty where they are not known yet.
  Names classes_of(const TeacherOptions& teacher) {
    if (!teacher.classes.empty()) return teacher.classes;
    if (teacher.weights.empty()) return {};
    const std::string path = real_path(teacher.weights);
    for (const PlannedTask& task : tasks_) {
      if (task.options && lies_in(path, real_path(task.folder))) return task.options->classes;
    }
    if (!fs::is_regular_file(path)) return {};
    const auto known = of_weights_.find(path);
    return known != of_weights_.end() ? known->second
                                      : of_weights_[path] = Engine(teacher.file(), teacher.engine).classes();
  }

  Names categories(const std::string& annotations) {
    const auto known = of_annotations_.find(annotations);
    if (known != of_annotations_.end()) return known->second;
    Names names;
    for (const CocoCategory& category : read_coco(annotations).categories) names.push_back(category.name);
    return of_annotations_[annotations] = std::move(names);
  }

  const std::string& file_;
  const std::vector<CompareMethod>& methods_;
  const std::vector<PlannedTask>& tasks_;
  const MadeFiles made_;
  ConfigErrors& errors_;
  std::map<std::string, Names> of_weights_, of_annotations_;  // by path
  std::map<std::string, std::optional<Dataset>> loaded_;      // by what decides them; "": none
  std::set<std::string> looked_at_;                           // files and sets; what is wrong is told once
  std::set<std::string> told_;
};

}  // namespace

void check_refusals(const ComparePlan& plan, ConfigErrors& errors) {
  Refusals refusals(plan, errors);
  for (const PlannedTask& task : plan.tasks) refusals.check(task);
}

void check_addresses(const ComparePlan& plan, ConfigErrors& errors) {
  if (plan.options.slots < 2) return;
  std::map<std::string, int> wanted;  // by "service.bind tcp://..."
  for (const PlannedTask& task : plan.tasks) {
    if (!task.options) continue;
    for (const std::string& address : own_addresses(*task.options)) ++wanted[address];
  }
  for (const auto& [address, count] : wanted) {
    if (count < 2) continue;
    errors.add(
        {plan.options.file, 0, 0},
        address + " is that of " + std::to_string(count) +
            " trainings, and slots lets several run side by side: let each choose its port (* in service.bind, " +
            "0 in service.status), or set slots: 1");
  }
}

}  // namespace conclave
