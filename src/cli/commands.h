#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace conclave {

// What the chosen command does once the command line has been read.
using Action = std::function<void()>;

// Each adds one verb with its options, help and examples; parsing it sets `action`.
void add_train(CLI::App& app, Action& action);
void add_distill(CLI::App& app, Action& action);
void add_label(CLI::App& app, Action& action);
void add_teach(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_models(CLI::App& app, Action& action);
void add_data(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_status(CLI::App& app, Action& action);
void add_store(CLI::App& app, Action& action);
void add_keys(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);

}  // namespace conclave
