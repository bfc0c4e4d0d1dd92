#include "cli/program.h"

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "cli/child_process.h"
#include "cli/commands.h"
#include "cli/version.h"
#include "core/error.h"
#include "core/nearest.h"

namespace conclave {
namespace {

// In the order in which --help lists them.
constexpr void (*kCommands[])(CLI::App&, Action&) = {
    add_distill, add_train, add_compare, add_label,  add_teach,  add_eval,   add_predict, add_bench,
    add_export,  add_data,  add_store,   add_models, add_config, add_doctor, add_keys,    add_status};

// Training allocates and frees tensors of tens of megabytes each step. glibc would hand them back to the kernel every
// time; keeping them saves 10 to 30 % of a step on CPU.
void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

int fail(const std::string& text, Exit exit) {
  std::fprintf(stderr, "conclave: %s\n", text.c_str());
  return static_cast<int>(exit);
}

// "conclave distil" -> did you mean "distill"?
std::string unknown_verb(const std::vector<std::string>& names, const std::string& verb) {
  std::string text = "there is no command '" + verb + "'";
  if (const auto near = nearest(verb, names)) text += "; did you mean '" + *near + "'?";
  return text + "\n  hint: conclave --help lists the commands";
}

}  // namespace

int run_program(int argc, char** argv) {
  keep_memory();
  CLI::App app{
      "Conclave merges frozen single-class detectors into one multi-class detector, by distillation, without new "
      "labels."};
  app.name("conclave");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(0, 1);
  app.footer(
      "A first merge, on drawn street scenes:  ./scripts/demo\n"
      "Each command shows runnable examples:   conclave distill --help");
  Action action;
  for (auto add : kCommands) add(app, action);
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
  if (argc > 1 && argv[1][0] != '-' && std::find(names.begin(), names.end(), argv[1]) == names.end()) {
    return fail(unknown_verb(names, argv[1]), Exit::kUsage);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);  // --help, --version
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string verb = chosen.empty() ? "" : " " + chosen.front()->get_name();
    return fail(std::string(error.what()) + "\n  hint: conclave" + verb + " --help", Exit::kUsage);
  }
  if (!action) {
    std::fputs(app.help().c_str(), stdout);
    return argc > 1 ? 0 : static_cast<int>(Exit::kUsage);
  }
  try {
    follow_parent();
    action();
    return static_cast<int>(Exit::kOk);
  } catch (const Error& error) {
    return fail(error.what(), error.exit());
  } catch (const std::bad_alloc&) {
    return fail("out of memory\n  hint: a smaller training.batch, training.window or input size needs less",
                Exit::kFailure);
  } catch (const std::exception& error) {
    return fail(std::string("unexpected: ") + error.what(), Exit::kFailure);
  }
}

}  // namespace conclave
