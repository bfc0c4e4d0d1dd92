#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/config_run.h"
#include "cli/view_pictures.h"
#include "core/error.h"
#include "core/join.h"
#include "core/log.h"
#include "datasets/check.h"
#include "datasets/split.h"
#include "datasets/synth.h"

namespace conclave {
namespace {

void synthesize(const StreetOptions& options) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  make_street_set(options, [&](int done) {
    if (terminal && (done % 20 == 0 || done == options.images))
      std::fprintf(stderr, "\r%d/%d images", done, options.images);
  });
  if (terminal) std::fputc('\n', stderr);
  std::string classes;
  for (const std::string& name : options.labelled) classes += (classes.empty() ? "" : ", ") + name;
  std::printf("%d images of %dx%d in %s, labelled for %s\n", options.images, options.width, options.height,
              options.folder.c_str(), classes.c_str());
}

void add_synth(CLI::App& data, Action& action) {
  CLI::App* verb = data.add_subcommand("synth", "draw a street set: people and cars, with COCO labels");
  verb->footer(
      "Examples:\n"
      "  conclave data synth --out street/train --images 400 --seed 1\n"
      "  conclave data synth --out street/people --images 400 --seed 2 --labelled person");
  auto options = std::make_shared<StreetOptions>();
  auto size = std::make_shared<std::vector<int>>(std::vector<int>{options->width, options->height});
  verb->add_option("--out", options->folder, "folder for images/ and annotations.json")->required();
  verb->add_option("--images", options->images, "how many")->check(CLI::Range(1, 1000000))->capture_default_str();
  verb->add_option("--size", *size, "width and height in pixels")->expected(2)->capture_default_str();
  verb->add_option("--seed", options->seed, "equal seeds give equal images")->capture_default_str();
  verb->add_option("--labelled", options->labelled, "write only these classes' boxes")->capture_default_str();
  verb->callback([options, size, &action] {
    options->width = size->at(0);
    options->height = size->at(1);
    action = [options] { synthesize(*options); };
  });
}

struct SplitArguments {
  SplitOptions options;
  std::vector<std::string> classes;
};

void split(SplitArguments arguments) {
  for (const std::string& name : arguments.classes) arguments.options.parts.push_back({name, {name}});
  for (const SplitResult& part : split_dataset(arguments.options)) {
    std::printf("%s: %d images, %d boxes\n", part.path.c_str(), part.images, part.boxes);
  }
}

void add_split(CLI::App& data, Action& action) {
  CLI::App* verb = data.add_subcommand("split", "one labelled set into several, each labelled for one class only");
  verb->footer(
      "Examples:\n"
      "  conclave data split train.json --classes RBC WBC Platelets --out thirds\n"
      "      # thirds/RBC.json, thirds/WBC.json, thirds/Platelets.json: disjoint images, one class's boxes each\n"
      "  conclave data split train.json --classes RBC WBC Platelets --per-class 20 --rest rest --out few\n"
      "      # 20 images each, and few/rest.json: the other images, without labels");
  auto arguments = std::make_shared<SplitArguments>();
  verb->add_option("annotations", arguments->options.annotations, "a COCO JSON, labelled for all classes")->required();
  verb->add_option("--out", arguments->options.folder, "folder for the parts")->required();
  verb->add_option("--classes", arguments->classes, "one part per class; default: every category of the file");
  verb->add_option("--per-class", arguments->options.images_per_part, "images of each part; default: all are dealt out")
      ->check(CLI::Range(1, 1000000));
  verb->add_option("--rest", arguments->options.rest, "write a part of this name with the images that are left over")
      ->needs("--per-class");
  verb->add_option("--seed", arguments->options.seed, "decides which image goes where")->capture_default_str();
  verb->add_flag("--overwrite", arguments->options.overwrite, "files that are there with other content are replaced");
  verb->callback([arguments, &action] { action = [arguments] { split(*arguments); }; });
}

void add_sample(CLI::App& data, Action& action) {
  CLI::App* verb = data.add_subcommand("sample", "a few images of a set, with their labels");
  verb->footer(
      "Example:\n"
      "  conclave data sample train.json --images 40 --seed 3 --out few.json");
  auto options = std::make_shared<SampleOptions>();
  verb->add_option("annotations", options->annotations, "a COCO JSON")->required();
  verb->add_option("--out", options->file, "the COCO JSON to write")->required();
  verb->add_option("--images", options->images, "how many")->required()->check(CLI::Range(1, 1000000000));
  verb->add_option("--seed", options->seed, "decides which")->capture_default_str();
  verb->add_flag("--overwrite", options->overwrite, "files that are there with other content are replaced");
  verb->callback([options, &action] {
    action = [options] {
      const SplitResult part = sample_dataset(*options);
      std::printf("%s: %d images, %d boxes\n", part.path.c_str(), part.images, part.boxes);
    };
  });
}

struct CheckArguments {
  DatasetOptions set;
  std::vector<std::string> classes;
  int show = 10;
};

void check(CheckArguments arguments) {
  arguments.set.name = arguments.set.annotations.empty() ? arguments.set.images : arguments.set.annotations;
  arguments.set.all_labelled = !arguments.set.annotations.empty();
  const DatasetReport report = check_dataset(arguments.set, arguments.classes);
  std::fputs(text_of(report, arguments.show).c_str(), stdout);
  if (!report.usable()) {
    throw Error(std::to_string(report.faults.size()) + " faulty entries and " +
                    std::to_string(report.broken_images.size()) + " broken images (listed above)",
                arguments.set.name, "mend or remove them: training stops at the first");
  }
  if (report.images == 0) throw Error("there is no image in it: nothing to train on", arguments.set.name);
  const bool any = std::any_of(report.classes.begin(), report.classes.end(), [&](const ClassCount& count) {
    return count.boxes > 0 &&
           std::find(arguments.classes.begin(), arguments.classes.end(), count.name) != arguments.classes.end();
  });
  if (!arguments.classes.empty() && !arguments.set.annotations.empty() && !any) {
    throw Error("it has no box of " + join(arguments.classes), arguments.set.name,
                "classes are named as in the file (listed above)");
  }
}

void add_check(CLI::App& data, Action& action) {
  CLI::App* verb = data.add_subcommand("check", "count objects, find broken images and faulty boxes");
  verb->footer(
      "Examples:\n"
      "  conclave data check --images photos/ --annotations train.json\n"
      "  conclave data check --images photos/                    # an unlabelled folder");
  auto arguments = std::make_shared<CheckArguments>();
  verb->add_option("--images", arguments->set.images, "folder of the images")->required();
  verb->add_option("--annotations", arguments->set.annotations, "COCO JSON");
  verb->add_option("--classes", arguments->classes, "the classes that you expect; default: those of the file");
  verb->add_option("--show", arguments->show, "entries shown per list")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  verb->callback([arguments, &action] { action = [arguments] { check(*arguments); }; });
}

struct ViewsArguments {
  std::string config, folder;
  std::vector<std::string> overrides;
  int views = 24;
};

void add_views(CLI::App& data, Action& action) {
  CLI::App* verb = data.add_subcommand("views", "pictures of what a training sees: its first views, with boxes");
  verb->footer(
      "Examples:\n"
      "  conclave data views run.yaml --out views\n"
      "  conclave data views run.yaml --out mosaics --views 8 views.mosaic=1");
  auto arguments = std::make_shared<ViewsArguments>();
  verb->add_option("config", arguments->config, "a configuration, as train and distill read it")->required();
  verb->add_option("overrides", arguments->overrides, "key=value, e.g. views.blur=0.5");
  verb->add_option("--out", arguments->folder, "a new folder")->required();
  verb->add_option("--views", arguments->views, "how many")->check(CLI::Range(1, 1000))->capture_default_str();
  verb->callback([arguments, &action] {
    action = [arguments] {
      write_view_pictures(read_run_options(arguments->config, arguments->overrides), arguments->folder,
                          arguments->views);
    };
  });
}

}  // namespace

void add_data(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("data", "make, split, sample, check and show sets of images");
  verb->require_subcommand(1);
  verb->footer(
      "Examples:\n"
      "  conclave data synth --out street --images 400\n"
      "  conclave data split train.json --out thirds\n"
      "  conclave data check --images photos/ --annotations train.json\n"
      "  conclave data views run.yaml --out views");
  add_synth(*verb, action);
  add_split(*verb, action);
  add_sample(*verb, action);
  add_check(*verb, action);
  add_views(*verb, action);
}

}  // namespace conclave
