#include "cli/idle_options.h"

#include <algorithm>
#include <tuple>

#include "cli/config_run.h"

namespace conclave {
namespace {

bool same(const LossWeights& a, const LossWeights& b) {
  return std::tie(a.heat, a.wh, a.offset, a.iou) == std::tie(b.heat, b.wh, b.offset, b.iou);
}

class IdleOptions {
 public:
  explicit IdleOptions(const RunOptions& options) : options_(options), method_(name_of(options.fusion.method)) {}

  std::vector<IdleOption> all() {
    of_distillation();
    of_its_loss();
    of_their_switches();
    of_the_other_methods();
    if (options_.training.eval_every > 0 && options_.val.name.empty()) {
      add("training.eval_every", "without data.val: the last weights are taken for the best");
    }
    return std::move(found_);
  }

 private:
  void add(const std::string& key, const std::string& why) { found_.push_back({key, "has no effect " + why}); }

  void of_distillation() {
    const FusionOptions &f = options_.fusion, plain;
    if (distils(f.method)) return;
    const bool fuses = f.method == Method::kPseudo && f.pseudo.merge == PseudoMerge::kWbf;  // all boxes that travelled
    const auto idle = [&](const char* key, bool set) {
      if (set) add(key, "with fusion.method " + method_ + ": kd and kd_labels use it");
    };
    idle("fusion.loss", f.loss != plain.loss);
    idle("fusion.merge", f.merge != plain.merge);
    idle("fusion.floor", f.floor != plain.floor && !fuses);
    idle("fusion.box_floor", f.box_floor != plain.box_floor);
    idle("fusion.distill", !same(f.distill, plain.distill));
    idle("fusion.temperature", f.temperature != plain.temperature);
    idle("fusion.cwd", f.cwd.weight != plain.cwd.weight);
    idle("fusion.cells", f.cells.peaks != plain.cells.peaks);
  }

  void of_its_loss() {
    const FusionOptions &f = options_.fusion, plain;
    if (!distils(f.method)) return;
    const std::string with = "with fusion.method " + method_ + " and fusion.loss " + name_of(f.loss) + ": ";
    if (f.temperature != 1 && f.loss != DistillLoss::kQfl && f.loss != DistillLoss::kBce) {
      add("fusion.temperature", with + "qfl and bce use it");
    }
    if (f.box_floor != plain.box_floor && f.loss == DistillLoss::kProbPeaks) {
      add("fusion.box_floor", with + "boxes are taught at peaks");
    }
  }

  void of_their_switches() {
    const FusionOptions &f = options_.fusion, plain;
    if (!f.cells.peaks && f.cells.radius != plain.cells.radius)
      add("fusion.cells_radius", "without fusion.cells peaks");
    if (f.cwd.weight == 0 && f.cwd.temperature != plain.cwd.temperature) {
      add("fusion.cwd.temperature", "without fusion.cwd.weight");
    }
    if (f.box == BoxLoss::kL1) {
      const std::string why = "without fusion.box giou or ciou";
      if (distils(f.method) && f.distill.iou != plain.distill.iou) add("fusion.distill.iou", why);
      if (f.method != Method::kKd && f.label.iou != plain.label.iou) add("fusion.label.iou", why);
    }
    if (f.method != Method::kKdLabels && !f.both) {
      add("fusion.labelled", "with fusion.method " + method_ + ": kd_labels uses it");
    }
    if (options_.training.init.empty() && options_.training.init_heads) {
      add("training.init_heads", "without training.init");
    }
  }

  void of_the_other_methods() {
    const FusionOptions &f = options_.fusion, plain;
    if (f.method == Method::kKd && !same(f.label, plain.label)) {
      add("fusion.label", "with fusion.method kd: it looks at no label");
    }
    if (f.labels_win && !(f.method == Method::kKdLabels && f.both)) {
      add("fusion.labels_win", "with fusion.method " + method_ +
                                   (f.method == Method::kKdLabels ? " and fusion.labelled labels" : "") +
                                   ": kd_labels with fusion.labelled both uses it");
    }
    const PseudoOptions &p = f.pseudo, usual;
    if (f.method != Method::kPseudo && std::tie(p.per_view, p.threshold, p.soft, p.merge) !=
                                           std::tie(usual.per_view, usual.threshold, usual.soft, usual.merge)) {
      add("fusion.pseudo", "with fusion.method " + method_ + ": pseudo uses it");
    }
    const BalanceOptions& balance = f.balance;
    if (!balance.fixed_value && !same(balance.value, BalanceOptions().value)) {
      add("fusion.balance_value", "without fusion.balance fixed_value");
    }
  }

  const RunOptions& options_;
  std::string method_;
  std::vector<IdleOption> found_;
};

}  // namespace

std::vector<IdleOption> idle_options(const RunOptions& options) {
  return IdleOptions(options).all();
}

std::vector<std::size_t> idle_sets(const Coverage& coverage) {
  std::vector<std::size_t> sets;
  for (std::size_t s = 0; s < coverage.size(); ++s) {
    const bool idle = std::all_of(coverage[s].begin(), coverage[s].end(),
                                  [](const ClassSource& source) { return source.ignored() && !source.background; });
    if (idle) sets.push_back(s);
  }
  return sets;
}

}  // namespace conclave
