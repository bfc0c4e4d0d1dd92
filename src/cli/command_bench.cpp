#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/bench_measure.h"
#include "cli/commands.h"
#include "cli/machine.h"
#include "core/error.h"
#include "core/file.h"
#include "core/scratch_folder.h"
#include "datasets/image_io.h"
#include "datasets/synth.h"
#include "export/cost.h"
#include "student/device.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::size_t kMostImages = 16;
constexpr double kMiB = 1 << 20;

struct BenchArguments {
  std::vector<std::string> files;
  std::vector<int> batches = {1, 8};
  std::string images, json, device = "cpu";
  int repeats = 20, threads = 0;
  bool bf16 = false;
};

struct BenchRow {
  std::int64_t memory = 0;  // bytes; 0: not known
  std::unique_ptr<BenchCase> times;
};

// A street scene where no images are given, so that the command needs nothing but a detector.
std::vector<std::string> drawn_street(const fs::path& folder) {
  StreetOptions street;
  street.folder = folder.string();
  street.images = 4;
  street.width = 640;
  street.height = 480;
  make_street_set(street);
  return list_images((folder / "images").string());
}

std::vector<BenchImage> read_bench_images(const std::string& where) {
  std::vector<std::string> paths;
  std::optional<ScratchFolder> scratch;
  if (where.empty()) {
    scratch.emplace("bench");
    paths = drawn_street(scratch->path());
  } else if (fs::is_directory(where)) {
    paths = list_images(where);
    if (paths.empty()) throw Error("no image in this folder", where);
  } else {
    paths = {where};
  }
  std::vector<BenchImage> images;
  for (std::size_t i = 0; i < std::min(paths.size(), kMostImages); ++i) {
    const ImageSize size = read_image_size(paths[i]);
    images.push_back({paths[i], read_file(paths[i], kMaxImageBytes), size.width, size.height});
  }
  return images;
}

std::string milliseconds(const Spread& spread) {
  char text[64];
  std::snprintf(text, sizeof text, "%.2f (%.2f-%.2f)", 1e3 * spread.median, 1e3 * spread.first_quartile,
                1e3 * spread.third_quartile);
  return text;
}

Json json_of(const Spread& spread) {
  return {{"median", 1e3 * spread.median},
          {"first_quartile", 1e3 * spread.first_quartile},
          {"third_quartile", 1e3 * spread.third_quartile}};
}

// "12.3" or "-" for what is not known.
std::string known(double value, const char* format) {
  if (value <= 0) return "-";
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// What the network of each file costs; nothing is known of other people's formats.
std::vector<Cost> costs_of(const std::vector<Runner>& runners) {
  std::vector<Cost> costs;
  for (const Runner& runner : runners) {
    costs.push_back(runner.detector ? cost_of(*runner.detector, runner.width, runner.height) : Cost{});
  }
  return costs;
}

void print_files(const std::vector<std::string>& files, const std::vector<Runner>& runners,
                 const std::vector<Cost>& costs) {
  std::printf("%-4s %-12s %-9s %11s %8s %9s  %s\n", "", "format", "input", "parameters", "GFLOPs", "MiB", "file");
  for (std::size_t f = 0; f < files.size(); ++f) {
    const Runner& runner = runners[f];
    const std::string input = std::to_string(runner.width) + "x" + std::to_string(runner.height);
    std::printf("[%zu]  %-12s %-9s %11s %8s %9.2f  %s\n", f + 1, runner.format.c_str(), input.c_str(),
                known(static_cast<double>(costs[f].parameters), "%.0f").c_str(), known(costs[f].gflops, "%.3f").c_str(),
                static_cast<double>(runner.file_bytes) / kMiB, files[f].c_str());
  }
}

void print_rows(const std::vector<std::vector<BenchRow>>& batches) {
  std::printf("\n%-5s %-4s %22s %26s %22s %10s %9s %8s\n", "batch", "", "decode ms/image", "network ms/batch",
              "post ms/batch", "images/s", "ratio", "MiB");
  for (const std::vector<BenchRow>& rows : batches) {
    for (std::size_t f = 0; f < rows.size(); ++f) {
      const BenchCase& times = *rows[f].times;
      std::printf("%-5d [%zu]  %22s %26s %22s %10.1f %8.2fx %8s\n", times.batch(), f + 1,
                  milliseconds(times.decode()).c_str(), milliseconds(times.network()).c_str(),
                  milliseconds(times.post()).c_str(), times.images_per_second(),
                  times.images_per_second() / rows.front().times->images_per_second(),
                  known(static_cast<double>(rows[f].memory) / kMiB, "%.0f").c_str());
    }
  }
}

Json bench_json(const BenchArguments& arguments, int threads, const std::vector<Runner>& runners,
                const std::vector<Cost>& costs, const std::vector<std::vector<BenchRow>>& batches) {
  Json files = Json::array();
  for (std::size_t f = 0; f < runners.size(); ++f) {
    const Runner& runner = runners[f];
    Json file = {{"file", arguments.files[f]},
                 {"format", runner.format},
                 {"sha256", runner.hash},
                 {"bytes", runner.file_bytes},
                 {"input", {runner.width, runner.height}}};
    if (costs[f].parameters > 0) file["parameters"] = costs[f].parameters;
    if (costs[f].gflops > 0) file["gflops"] = costs[f].gflops;
    file["batches"] = Json::array();
    for (const std::vector<BenchRow>& rows : batches) {
      const BenchCase& times = *rows[f].times;
      Json row = {{"batch", times.batch()},
                  {"decode_ms_per_image", json_of(times.decode())},
                  {"network_ms_per_batch", json_of(times.network())},
                  {"post_ms_per_batch", json_of(times.post())},
                  {"images_per_second", times.images_per_second()},
                  {"ratio", times.images_per_second() / rows.front().times->images_per_second()}};
      if (rows[f].memory > 0) row["peak_memory_bytes"] = rows[f].memory;
      file["batches"].push_back(std::move(row));
    }
    files.push_back(std::move(file));
  }
  return {{"cpu", cpu_name()},      {"threads", threads},           {"device", arguments.device},
          {"bf16", arguments.bf16}, {"repeats", arguments.repeats}, {"files", std::move(files)}};
}

// An export with a fixed batch computes that many images whatever it is given, so that is what is measured.
int own_batch(const Runner& runner, int asked) {
  return runner.batch == 0 ? asked : runner.batch;
}

void bench(const BenchArguments& arguments) {
  if (!arguments.json.empty() && fs::exists(arguments.json)) {
    throw Error("already exists", arguments.json, "name another output");
  }
  const RunnerOptions options{arguments.device, arguments.bf16, {}};
  std::vector<std::vector<BenchRow>> batches;
  for (const int batch : arguments.batches) {
    std::vector<BenchRow>& rows = batches.emplace_back();
    for (const std::string& file : arguments.files) {
      BenchRow& row = rows.emplace_back();
      row.memory = peak_memory_of([&] {  // before this process starts threads
        use_threads(arguments.threads);
        const std::vector<BenchImage> images = read_bench_images(arguments.images);
        const Runner runner = open_runner(file, options);
        BenchCase(runner, images, own_batch(runner, batch)).warm_up(2);
      });
    }
  }
  const int threads = use_threads(arguments.threads);
  const std::vector<BenchImage> images = read_bench_images(arguments.images);
  std::vector<Runner> runners;
  for (const std::string& file : arguments.files) runners.push_back(open_runner(file, options));
  std::printf("%s, %d thread%s, %s, device %s\n\n", cpu_name().c_str(), threads, threads == 1 ? "" : "s",
              arguments.bf16 ? "bfloat16" : "float32", arguments.device.c_str());
  const std::vector<Cost> costs = costs_of(runners);
  print_files(arguments.files, runners, costs);
  for (std::vector<BenchRow>& rows : batches) {
    const int batch = arguments.batches[static_cast<std::size_t>(&rows - batches.data())];
    for (std::size_t f = 0; f < rows.size(); ++f) {
      rows[f].times = std::make_unique<BenchCase>(runners[f], images, own_batch(runners[f], batch));
      rows[f].times->warm_up(3);
    }
    for (int repeat = 0; repeat < arguments.repeats; ++repeat) {
      for (BenchRow& row : rows) row.times->measure_once();
    }
  }
  print_rows(batches);
  for (std::size_t f = 0; f < runners.size(); ++f) {
    if (runners[f].batch == 0) continue;
    std::printf("[%zu] was exported for %d image%s at a time and is measured so, whatever --batch says.\n", f + 1,
                runners[f].batch, runners[f].batch == 1 ? "" : "s");
  }
  std::printf(
      "\nTimes are medians (quartiles) of %d repeats, the files in turn; ratio: images/s over those of [1]; MiB: "
      "peak memory\nof a process of its own%s.\n",
      arguments.repeats, arguments.device == "cpu" ? "" : " on the host");
  if (!arguments.json.empty()) {
    write_file_atomically(arguments.json, bench_json(arguments, threads, runners, costs, batches).dump(2) + "\n");
  }
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("bench", "how fast a detector runs: decoding, network and boxes, by batch");
  verb->footer(
      "Examples:\n"
      "  conclave bench runs/merged/weights/best.safetensors\n"
      "  conclave bench student.safetensors teacher.safetensors --batch 1,8,32 --threads 1 --images photos/\n"
      "  conclave bench student.safetensors exported-onnx/ exported-torchscript/\n"
      "  conclave bench student.safetensors --bf16 --json speed.json\n\n"
      "Several files take turns, so that their ratio is fair on a busy machine.");
  auto arguments = std::make_shared<BenchArguments>();
  verb->add_option("files", arguments->files, "weights, or folders that conclave export wrote")->required();
  verb->add_option("--batch", arguments->batches, "images at once")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->default_str("1,8");
  verb->add_option("--images", arguments->images, "a folder or an image; default: drawn street scenes of 640x480");
  verb->add_option("--repeats", arguments->repeats, "measurements of each")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  verb->add_option("--threads", arguments->threads, "of the network; 0: one per core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  verb->add_option("--json", arguments->json, "write the figures to this file");
  verb->add_option("--device", arguments->device, "cpu, cuda or cuda:N")->capture_default_str();
  verb->add_flag("--bf16", arguments->bf16, "compute in bfloat16");
  verb->callback([arguments, &action] { action = [arguments] { bench(*arguments); }; });
}

}  // namespace conclave
