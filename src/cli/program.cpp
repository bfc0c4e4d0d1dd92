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
  std::fflush(stdout);  // what was said before it comes before it
  std::fprintf(stderr, "conclave: %s\n", text.c_str());
  return static_cast<int>(exit);
}

// "conclave distil" -> did you mean "distill"?
std::string unknown_verb(const std::vector<std::string>& names, const std::string& verb) {
  std::string text = "there is no command '" + verb + "'";
  if (const auto near = nearest(verb, names)) text += "; did you mean '" + *near + "'?";
  return text + "\n  hint: conclave --help lists the commands";
}

// The command line; a command that it chooses is left in `action`.
class CommandLine {
 public:
  CommandLine()
      : app_(
            "Conclave merges frozen single-class detectors into one multi-class detector, by distillation, without new "
            "labels.") {
    app_.name("conclave");
    app_.set_version_flag("--version", [] { return version_and_build(); });
    app_.require_subcommand(0, 1);
    app_.footer(
        "A first merge, on drawn street scenes:  ./scripts/demo\n"
        "Each command shows runnable examples:   conclave distill --help");
    for (auto add : kCommands) add(app_, action);
  }

  // Why the words can't be understood; empty where they can. Throws CLI::Success for --help and --version.
  std::string parse(std::vector<std::string> words) {
    std::vector<std::string> names;
    for (const CLI::App* sub : app_.get_subcommands({})) names.push_back(sub->get_name());
    if (!words.empty() && words[0][0] != '-' && std::find(names.begin(), names.end(), words[0]) == names.end()) {
      return unknown_verb(names, words[0]);
    }
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the end
    try {
      app_.parse(std::move(words));
    } catch (const CLI::Success&) {
      throw;
    } catch (const CLI::ParseError& error) {
      std::string verb;
      for (const CLI::App* app = &app_; !app->get_subcommands().empty();) {
        app = app->get_subcommands().front();
        verb += " " + app->get_name();
      }
      return std::string(error.what()) + "\n  hint: conclave" + verb + " --help";
    }
    return {};
  }

  int show(const CLI::Success& wanted) { return app_.exit(wanted); }
  std::string help() { return app_.help(); }

  Action action;

 private:
  CLI::App app_;
};

}  // namespace

std::string why_no_command(const std::vector<std::string>& words) {
  CommandLine line;
  try {
    const std::string why = line.parse(words);
    return why.empty() && !line.action ? "no command is given" : why;
  } catch (const CLI::Success&) {
    return {};
  }
}

int run_program(int argc, char** argv) {
  keep_memory();
  CommandLine line;
  try {
    const std::string why = line.parse({argv + 1, argv + argc});
    if (!why.empty()) return fail(why, Exit::kUsage);
  } catch (const CLI::Success& wanted) {
    return line.show(wanted);
  }
  if (!line.action) {
    std::fputs(line.help().c_str(), stdout);
    return argc > 1 ? 0 : static_cast<int>(Exit::kUsage);
  }
  try {
    follow_parent();
    line.action();
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
