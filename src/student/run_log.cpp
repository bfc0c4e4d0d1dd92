#include "student/run_log.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/log.h"
#include "student/evaluate.h"

namespace conclave {
RunLog::RunLog(const RunFolder& folder, const TrainOptions& options, std::uint64_t images, std::int64_t step)
    : options_(options),
      images_(static_cast<double>(images)),
      metrics_(folder.metrics(), RowFile::Format::kJson, step),
      trace_(folder.trace(), RowFile::Format::kTrace, step),
      events_(folder.events(), step > 0 ? std::optional<std::int64_t>(step) : std::nullopt),
      progress_(stderr, ::isatty(STDERR_FILENO) == 1, clock_),
      meter_(step) {}

void RunLog::step(std::int64_t step, double lr, const StepValues& values, const TimeSpent& spent) {
  trace_.write(trace_row(step, values.loss));
  const std::int64_t steps = options_.schedule.steps;
  const auto [rate, data_wait, teacher_wait] = meter_.rates(step, options_.batch, spent);
  progress_.show({step, steps, values.loss, lr, rate, data_wait, teacher_wait, meter_.eta(step, steps, spent)});
  if (step % std::max(1, options_.log_every) != 0 && step != steps) return;

  const double epoch = static_cast<double>(step * options_.batch) / images_;
  metrics_.write(
      to_json(StepMetrics{step, epoch, values.loss, values.terms, lr, rate, data_wait, teacher_wait, values.grad_norm})
          .dump());
  flush();
  Scalars scalars = {{"loss", values.loss},
                     {"lr", static_cast<float>(lr)},
                     {"grad_norm", values.grad_norm},
                     {"images_per_second", static_cast<float>(rate)},
                     {"wait/data", static_cast<float>(data_wait)},
                     {"wait/teacher", static_cast<float>(teacher_wait)}};
  for (const auto& [name, value] : values.terms) scalars.emplace_back("loss/" + name, static_cast<float>(value));
  events_.write(step, scalars);
  meter_.restart(step, spent);
}

void RunLog::evaluation(std::int64_t step, const ApResult& result, const Dataset& dataset) {
  progress_.clear();
  const nlohmann::ordered_json row = {{"step", step}, {"eval", ap_json(result, dataset)}};
  metrics_.write(row.dump());
  flush();
  Scalars scalars = {{"AP", static_cast<float>(result.all.ap)}, {"AP50", static_cast<float>(result.all.ap50)}};
  std::string text;
  for (std::size_t c = 0; c < dataset.classes.size(); ++c) {
    if (!dataset.labelled[c]) continue;
    const ApSummary& own = result.per_class.at(c);
    scalars.emplace_back("AP50/" + dataset.classes[c], static_cast<float>(own.ap50));
    text += fmt::format("  {} {:.1f}/{:.1f}", dataset.classes[c], 100 * own.ap, 100 * own.ap50);
  }
  events_.write(step, scalars);
  log::info("step {}: {} AP {:.1f}, AP50 {:.1f} {}", step, dataset.name, 100 * result.all.ap, 100 * result.all.ap50,
            text);
}

void RunLog::flush() {
  metrics_.flush();
  trace_.flush();
}

}  // namespace conclave
