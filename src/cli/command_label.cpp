#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/config_run.h"
#include "cli/run_teachers.h"
#include "cli/teacher_side.h"
#include "core/error.h"
#include "core/log.h"
#include "core/stop.h"
#include "student/labeller.h"

namespace conclave {
namespace {

struct LabelArguments {
  std::string config, out;
  std::vector<std::string> overrides;
  bool resume = false;
};

void label(const LabelArguments& arguments) {
  log::start();
  install_stop_signals();
  RunOptions options = read_run_options(arguments.config, arguments.overrides);
  options.fusion.method = Method::kPseudo;
  check_teachers(options, arguments.config);
  const RunTeachers teachers = read_teachers(options);
  Labeller labeller(options, teachers.channels, arguments.out, arguments.resume);
  std::printf("%s\n", labeller.coverage_text().c_str());
  std::fflush(stdout);
  ProcessGroup alone;
  Labeller::Written written;
  {
    TeacherSide side;
    open_teachers(side, labeller.options(), teachers, alone);
    try {
      written = labeller.run(*side.source);
    } catch (const Error&) {
      const std::string failure = side.workers ? side.workers->failure() : "";
      if (failure.empty()) throw;
      throw Error(failure, arguments.out, "mend the cause, then go on with --resume");
    }
    side.source.reset();  // says goodbye, so that workers leave by themselves
  }
  labeller.finish();
  std::printf("%s: %zu images, %zu boxes of the teachers, %zu given ones; file names start from %s\n",
              arguments.out.c_str(), written.images, written.boxes, written.given, written.folder.c_str());
}

}  // namespace

void add_label(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("label", "write what the teachers see as a COCO file with scores");
  verb->footer(
      "Reads the configuration of a conclave distill. For every image of data.train the file holds the labels of the\n"
      "classes that its set labels, and the teachers' boxes of all other classes, each with its score. A class's "
      "boxes\n"
      "count from the score on that is best on data.val, or from fusion.pseudo.threshold (docs/pseudo_labels.md).\n\n"
      "Examples:\n"
      "  conclave label merge.yaml --out labels.json                # thresholds are found on data.val\n"
      "  conclave label merge.yaml fusion.pseudo.threshold=0.3 fusion.pseudo.merge=wbf --out labels.json\n"
      "  conclave label merge.yaml --out labels.json --resume       # go on after Ctrl-C or a crash\n"
      "  conclave label merge.yaml service.spawn=false service.bind=tcp://127.0.0.1:5555 --out labels.json\n"
      "      # workers come from outside: conclave teach --connect tcp://127.0.0.1:5555 --name person --weights …\n"
      "  conclave train student.yaml                                # with data.train: [{name: all, images: photos/,\n"
      "                                                             #   annotations: labels.json}]");
  auto arguments = std::make_shared<LabelArguments>();
  verb->add_option("config", arguments->config, "a YAML file")->required();
  verb->add_option("overrides", arguments->overrides, "key=value, e.g. fusion.pseudo.threshold=0.3");
  verb->add_option("--out", arguments->out, "the COCO file to write; must not exist")->required();
  verb->add_flag("--resume", arguments->resume, "go on with a labelling that did not end (OUT.part)");
  verb->callback([arguments, &action] { action = [arguments] { label(*arguments); }; });
}

}  // namespace conclave
