#include "student/labeller.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/log.h"
#include "datasets/write_coco.h"
#include "student/pseudo_journal.h"
#include "student/teacher_weights.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

RunOptions for_labels(RunOptions options, const fs::path& part) {
  options.run = part.string();
  options.fusion.method = Method::kPseudo;
  options.fusion.pseudo.per_view = false;
  options.fusion.pseudo.soft = false;
  return options;
}

fs::path absolute(const std::string& path) {
  return fs::absolute(path).lexically_normal();
}

// The deepest folder that holds all of them.
fs::path common_folder(const std::vector<DatasetOptions>& sets) {
  fs::path common = absolute(sets.front().images);
  for (const DatasetOptions& set : sets) {
    const fs::path other = absolute(set.images);
    fs::path shared;
    for (auto a = common.begin(), b = other.begin(); a != common.end() && b != other.end() && *a == *b; ++a, ++b) {
      shared /= *a;
    }
    common = shared;
  }
  return common;
}

// All sets as one; image ids are kept where they are unique.
Dataset joined(const std::vector<Dataset>& datasets) {
  Dataset all;
  all.classes = datasets.front().classes;
  std::set<std::int64_t> ids;
  for (const Dataset& dataset : datasets) {
    for (const ImageEntry& image : dataset.images) {
      all.images.push_back(image);
      ids.insert(image.id);
    }
  }
  if (ids.size() < all.images.size()) {
    for (std::size_t i = 0; i < all.images.size(); ++i) all.images[i].id = static_cast<std::int64_t>(i) + 1;
  }
  return all;
}

}  // namespace

Labeller::Labeller(RunOptions options, std::vector<TeacherChannels> teachers, fs::path out, bool resume)
    : options_(for_labels(std::move(options), out.string() + ".part")),
      teachers_(std::move(teachers)),
      out_(std::move(out)),
      part_(out_.string() + ".part"),
      resume_(resume) {
  if (fs::exists(out_)) throw Error("already exists", out_.string(), "remove it, or name another --out", Exit::kUsage);
  if (fs::exists(part_) && !resume_) {
    throw Error("is a labelling that did not end", part_.string(), "go on with --resume, or remove it", Exit::kUsage);
  }
  for (const DatasetOptions& set : options_.train) {
    datasets_.push_back(load_dataset(set, options_.classes));
    sets_.push_back({set.name, datasets_.back().labelled});
  }
  if (!options_.val.name.empty()) val_ = load_dataset(options_.val, options_.classes);
  coverage_ = derive_coverage(Method::kPseudo, true, options_.classes, sets_, teachers_);
  const bool any = std::any_of(coverage_.begin(), coverage_.end(), [](const std::vector<ClassSource>& row) {
    return std::any_of(row.begin(), row.end(), [](const ClassSource& source) { return source.pseudo; });
  });
  if (!any) {
    throw Error("every class is labelled on every set: there is nothing to ask the teachers", "data.train",
                "leave a class out of a set's `labelled` list to have the teachers label it", Exit::kUsage);
  }
  check_thresholds(input());
  ProcessGroup alone;
  weigh_by_ap(options_, val_, teachers_, alone);
  const std::optional<std::string> begun_with = PseudoJournal::made_by(journal());
  if (begun_with && *begun_with != pseudo_facts(input())) {
    throw Error("was begun with other images, teachers or fusion.pseudo options", part_.string(),
                "set them back, or remove it to begin anew", Exit::kUsage);
  }
}

std::string Labeller::coverage_text() const {
  return to_text(coverage_, options_.classes, sets_, teachers_);
}

Labeller::Written Labeller::run(TargetSource& source) {
  fs::create_directories(part_);
  lock_.emplace(RunFolder{part_});
  PseudoLabels labels = make_pseudo_labels(input(), source, journal(), resume_);
  labels.rule.soft = true;  // an annotation's weight is its score
  Written written;
  written.boxes = add_pseudo_labels(datasets_, coverage_, labels);
  written.folder = common_folder(options_.train);

  const Dataset all = joined(datasets_);
  CocoFile file = coco_of(all);
  std::size_t a = 0;
  for (std::size_t d = 0, i = 0; d < datasets_.size(); ++d) {
    for (const ImageEntry& image : datasets_[d].images) {
      file.images[i++].file_name = absolute(image.path).lexically_relative(written.folder).string();
      for (const Annotation& annotation : image.annotations) {
        CocoAnnotation& row = file.annotations[a++];
        if (coverage_[d][static_cast<std::size_t>(annotation.cls)].pseudo) row.score = annotation.weight;
      }
    }
  }
  written.images = all.images.size();
  written.given = file.annotations.size() - written.boxes;
  std::string description = "boxes with a score are those of the teachers";
  for (const TeacherChannels& teacher : teachers_)
    description += (&teacher == &teachers_.front() ? " " : ", ") + teacher.name;
  if (fs::exists(out_)) throw Error("was made by someone else meanwhile", out_.string(), "name another --out");
  write_coco(out_.string(), file, {description, options_.classes});
  return written;
}

void Labeller::finish() {
  lock_.reset();
  fs::remove_all(part_);
}

}  // namespace conclave
