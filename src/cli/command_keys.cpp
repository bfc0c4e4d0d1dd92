#include <cstdio>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "teachers/curve.h"

namespace conclave {
namespace {

void make(const std::string& stem) {
  write_key_pair(stem, make_key_pair());
  std::printf("%s.key   secret: stays on its host; only you may read it\n", stem.c_str());
  std::printf("%s.pub   public: give it to those who shall trust the owner\n", stem.c_str());
}

// The public half of either kind of file; the secret one is never printed.
void show(const std::string& path) {
  const bool secret = path.size() >= 4 && path.compare(path.size() - 4, 4, ".key") == 0;
  std::printf("%s\n", secret ? load_key_pair(path).public_key.c_str() : load_public_key(path).c_str());
}

void add_new(CLI::App& keys, Action& action) {
  CLI::App* verb = keys.add_subcommand("new", "make a key pair: NAME.key and NAME.pub");
  verb->footer("Example:\n  conclave keys new --out keys/trainer      # keys/trainer.key and keys/trainer.pub");
  auto stem = std::make_shared<std::string>();
  verb->add_option("--out", *stem, "FOLDER/NAME; nothing is ever overwritten")->required();
  verb->callback([stem, &action] { action = [stem] { make(*stem); }; });
}

void add_show(CLI::App& keys, Action& action) {
  CLI::App* verb = keys.add_subcommand("show", "print the public key of a .key or .pub file");
  verb->footer("Example:\n  conclave keys show keys/worker1.pub       # as the trainer's log names a refused key");
  auto path = std::make_shared<std::string>();
  verb->add_option("file", *path, "a .key or .pub file")->required();
  verb->callback([path, &action] { action = [path] { show(*path); }; });
}

}  // namespace

void add_keys(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("keys", "key pairs for trainers and workers on several hosts");
  verb->require_subcommand(1);
  verb->footer(
      "A trainer on host A, a worker on host B:\n"
      "  A$ conclave keys new --out keys/trainer\n"
      "  B$ conclave keys new --out keys/worker1\n"
      "  B$ scp A:keys/trainer.pub keys/                    # only .pub files travel\n"
      "  B$ ssh A mkdir -p keys/workers; scp keys/worker1.pub A:keys/workers/\n"
      "  A$ conclave distill merge.yaml service.spawn=false service.bind=tcp://*:5555 \\\n"
      "       service.keys.secret=keys/trainer.key 'service.keys.allow=[keys/workers]'\n"
      "  B$ conclave teach --connect tcp://A:5555 --name person --weights person.safetensors \\\n"
      "       --key keys/worker1.key --trainer-key keys/trainer.pub\n\n"
      "In a configuration: `service: {keys: {secret: keys/trainer.key, allow: [keys/workers]}}`. The folder is read "
      "again "
      "while\n"
      "the trainer runs: a .pub file that is added lets its worker in, one that is removed keeps it from connecting "
      "again.\n"
      "docs/security.md says what is protected and what is not.");
  add_new(*verb, action);
  add_show(*verb, action);
}

}  // namespace conclave
