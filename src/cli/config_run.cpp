#include "cli/config_run.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "cli/config_teacher.h"
#include "core/config_table.h"
#include "core/nearest.h"
#include "models/zoo.h"
#include "teachers/frame.h"

namespace conclave {
namespace {

const std::vector<std::pair<std::string, Method>> kMethods = {
    {"kd", Method::kKd},         {"kd_labels", Method::kKdLabels}, {"pseudo", Method::kPseudo},
    {"ignore", Method::kIgnore}, {"labels", Method::kLabels},      {"background", Method::kBackground}};

const std::vector<std::pair<std::string, DistillLoss>> kLosses = {{"qfl", DistillLoss::kQfl},
                                                                  {"relu", DistillLoss::kRelu},
                                                                  {"prob_peaks", DistillLoss::kProbPeaks},
                                                                  {"bce", DistillLoss::kBce}};

const std::vector<std::pair<std::string, StoreMode>> kStoreModes = {{"off", StoreMode::kOff},
                                                                    {"record", StoreMode::kRecord},
                                                                    {"replay", StoreMode::kReplay},
                                                                    {"auto", StoreMode::kAuto}};

template <class E>
std::string name_in(const std::vector<std::pair<std::string, E>>& names, E wanted) {
  for (const auto& [name, e] : names) {
    if (e == wanted) return name;
  }
  return "?";
}

template <class Entry>
std::vector<std::string> names_of(const std::vector<Entry>& table) {
  std::vector<std::string> names;
  for (const Entry& entry : table) names.push_back(entry.name);
  return names;
}

void bind_model(ConfigTable& table, RunOptions& o) {
  Architecture& a = o.model.architecture;
  table.choice("backbone", a.backbone, names_of(backbones()), "`conclave models` lists their parameters and GFLOPs");
  table.value("width", a.width, "channels of the first stage; 64 is the published network, 16 a quarter of it", 4,
              1024);
  table.choice("neck", a.neck, names_of(necks()),
               "three stages of 2x deconvolution, each after a 3x3 convolution; dcn: a deformable one; bare: none");
  table.tuple("neck_channels", {&a.neck_channels[0], &a.neck_channels[1], &a.neck_channels[2]},
              "channels of the neck's stages", 1, 8192);
  table.value("skip", a.skip, "lateral connections from the backbone into the neck; small objects need them");
  table.value("head_channels", a.head_channels, "channels of the 3x3 convolution before each head", 1, 8192);
  table.choice<bool>("wh", a.wh_per_class, {{"shared", false}, {"per_class", true}},
                     "one width and height per cell, or one per class and cell, for classes whose centres collide");
  table.tuple("input", std::vector<int*>{&o.model.width, &o.model.height},
              "width and height of the network's input in pixels, multiples of 32", 32, 8192);
  table.tuple("mean", {&o.model.mean[0], &o.model.mean[1], &o.model.mean[2]},
              "of RGB values in 0 to 255, subtracted from the input", 0, 255);
  table.tuple("std", {&o.model.std[0], &o.model.std[1], &o.model.std[2]}, "divides the input", 1e-3, 255);
}

void bind_views(ConfigTable& table, ViewOptions& v) {
  table.value("flip", v.flip, "probability of mirroring left and right", 0, 1);
  table.tuple("scale", std::vector<double*>{&v.scale_min, &v.scale_max},
              "smallest and largest zoom, relative to the whole image fitted into the input", 0.05, 20);
  table.value("shift", v.shift, "the centre moves by up to this share of the width and height", 0, 0.5);
  table.value("brightness", v.brightness, "colour jitter: factors within 1 ± this", 0, 1);
  table.value("contrast", v.contrast, "colour jitter", 0, 1);
  table.value("saturation", v.saturation, "colour jitter", 0, 1);
  table.value("min_visible", v.min_visible, "a box with less of its area left to see is dropped", 0, 1);
  table.value("hue", v.hue, "colour jitter: the hue turns by up to this share of a full turn; 0: off", 0, 0.5);
  table.value("grey", v.grey, "probability of a view without colour; 0: off", 0, 1);
  table.value("blur", v.blur, "probability of a Gaussian blur; 0: off", 0, 1);
  table.tuple("blur_sigma", std::vector<double*>{&v.blur_min, &v.blur_max}, "its smallest and largest sigma, pixels",
              0.1, 100);
  table.value("erase", v.erase, "probability of a grey rectangle that hides a part; 0: off", 0, 1);
  table.tuple("erase_area", std::vector<double*>{&v.erase_min, &v.erase_max},
              "its smallest and largest share of the view's area", 0, 1);
  table.value("mosaic", v.mosaic, "probability of four images of the set side by side (training.md); 0: off", 0, 1);
  table.tuple("mosaic_scale", std::vector<double*>{&v.mosaic_min, &v.mosaic_max}, "their zoom, as in scale", 0.05, 20);
  table.value("mix", v.mix, "probability of another image of the set shining through; 0: off", 0, 1);
  table.tuple("mix_share", std::vector<double*>{&v.mix_min, &v.mix_max},
              "its smallest and largest share of every pixel", 0.1, 0.5);
}

void bind_set(ConfigTable& table, DatasetOptions& set) {
  table.value("name", set.name, "unique in the run");
  table.value("images", set.images, "folder of the images");
  table.value("annotations", set.annotations, "COCO JSON; none: a folder of unlabelled images");
  table.value("labelled", set.labelled,
              "classes whose every object is annotated here; left out: all classes of the file; []: none");
  table.value("limit", set.limit, "use only the first so many images; 0: all");
  // Without the key, annotations are taken to be complete.
  table.seen("labelled", [&set](bool present) { set.all_labelled = !present && !set.annotations.empty(); });
  table.unprinted("labelled", [&set] { return set.all_labelled; });
}

void bind_data(ConfigTable& table, RunOptions& o) {
  table.list<DatasetOptions>("train", o.train, "sets to learn from, labelled or not", bind_set);
  table.value(
      "views_per_image", o.views_per_image,
      "so many different views of each image, in turn by epoch, the same in every run: a store can replay them; "
      "0: fresh ones in every epoch");
  bind_set(
      table.section("val", "a labelled set; every training.eval_every steps the best weights so far are chosen by it"),
      o.val);
  bind_set(table.section("test", "a labelled set for the final figures, looked at once"), o.test);
}

void bind_swa(ConfigTable& table, SwaOptions& s) {
  table.value("every", s.every, "steps from one set of weights that counts to the next; 0: off");
  table.value("from", s.from, "share of the training after which weights count", 0, 0.999);
  table.value("norm_views", s.norm_views,
              "training views over which the mean's normalisation statistics are taken; 0: averaged like the weights");
}

void bind_training(ConfigTable& table, TrainOptions& t) {
  table.value("batch", t.batch, "images per step, of all ranks together", 1, 65536);
  table.value("steps", t.schedule.steps, "optimizer steps of the whole training", 1);
  table.value("warmup", t.schedule.warmup, "steps of linear warm-up");
  table.choice("schedule", t.schedule.type, {"cosine", "step", "constant"}, "of the learning rate; cosine falls to 0");
  table.value("milestones", t.schedule.milestones,
              "for step: shares of the training at which the rate is divided by 10", 0, 1);
  table.choice("optimizer", t.optimizer.type, {"adamw", "sgd"}, "");
  table.value("lr", t.optimizer.lr, "peak learning rate", 0, 1000);
  table.value("weight_decay", t.optimizer.weight_decay, "not applied to biases and normalisation", 0, 10);
  table.value("momentum", t.optimizer.momentum, "of sgd", 0, 0.9999);
  table.value("beta1", t.optimizer.beta1, "of adamw", 0, 0.9999);
  table.value("beta2", t.optimizer.beta2, "of adamw", 0, 0.999999);
  table.value("clip", t.optimizer.clip, "largest gradient norm; 0: no clipping");
  table.value("ema", t.ema, "decay of averaged weights per step, 0.998 say; 0: off", 0, 0.999999);
  bind_swa(table.section("swa", "the mean of the weights late in the training, shipped instead (training.md)"), t.swa);
  table.value("bf16", t.bf16, "bfloat16 autocast; twice as fast where the CPU or GPU has it (`conclave doctor`)");
  table.value("channels_last", t.channels_last, "memory format; faster with bf16");
  table.value("device", t.device, "cpu, cuda or cuda:N");
  table.value("threads", t.threads, "intra-op threads of the student; 0: all cores, shared by the ranks of this host",
              0, 1024);
  table.value("loader_threads", t.loader_threads, "threads that read and draw images", 1, 256);
  table.value("window", t.window, "views in flight between sampler and trainer; bounds memory", 1, 1 << 20);
  table.value("eval_every", t.eval_every,
              "steps between evaluations on data.val, which choose the best weights; 0: the last weights, evaluated at "
              "the end");
  table.value("eval_batch", t.eval_batch, "images at once in evaluation", 1, 65536);
  table.value("checkpoint_every", t.checkpoint_every, "steps between checkpoints", 1);
  table.value("log_every", t.log_every, "steps between rows of metrics.jsonl", 1);
  table.value("trace_steps", t.trace_steps,
              "write where the time of the first so many steps goes to trace/rank-N.json (Chrome's format)", 0,
              1000000);
  table.value("norm_eval", t.norm_eval,
              "normalisation keeps the statistics that it starts with (those of init, say) instead of the batch's");
  table.value("init", t.init, "weights whose backbone and neck the student starts from; none: fresh");
  table.value("init_heads", t.init_heads,
              "from its heads too: classes of the same name, widths and heights, offsets; other classes start fresh");
}

void bind_weights(ConfigTable& table, LossWeights& weights) {
  table.value("heat", weights.heat, "");
  table.value("wh", weights.wh, "");
  table.value("offset", weights.offset, "");
  table.value("iou", weights.iou, "of fusion.box: giou or ciou");
}

void bind_pseudo(ConfigTable& table, PseudoOptions& p) {
  table.choice<bool>("when", p.per_view, {{"once", false}, {"per_view", true}},
                     "once: on the plain view of each image, before training; per_view: anew on every augmented view");
  table.value("threshold", p.threshold, "best_f1",
              "score from which a box is a label; best_f1: each class's own, found on data.val", 0.01, 0.99);
  table.value("soft", p.soft, "a box's score weighs its terms");
  table.choice<PseudoMerge>("merge", p.merge, {{"nms", PseudoMerge::kNms}, {"wbf", PseudoMerge::kWbf}},
                            "boxes of several teachers on one object: the best stays, or weighted box fusion");
}

void bind_fusion(ConfigTable& table, FusionOptions& f) {
  table.choice<Method>("method", f.method, kMethods, "what supervises the student (fusion.md)");
  table.choice<bool>("labelled", f.both, {{"both", true}, {"labels", false}},
                     "kd_labels: labelled classes learn from labels and teacher, or from labels alone");
  table.choice<DistillLoss>("loss", f.loss, kLosses, "distillation loss");
  table.choice<Merge>("merge", f.merge, {{"max", Merge::kMax}, {"mean", Merge::kMean}, {"weighted", Merge::kWeighted}},
                      "how several teachers of one class are joined");
  table.value("floor", f.floor,
              "probability under which a teacher's cell is dropped; relu has its zero there (as published: 0.5)", 0,
              0.999);
  table.value("box_floor", f.box_floor,
              "probability from which a teacher's cell teaches width, height and offset; at least `floor`", 0.01, 0.99);
  bind_weights(table.section("distill", "weights of the teachers' terms"), f.distill);
  bind_weights(table.section("label", "weights of the labels' terms"), f.label);
  table.value("min_overlap", f.min_overlap, "of the Gaussians drawn at labelled centres; smaller is wider", 0.05, 0.95);
  table.value("norm_wh", f.norm_wh, "width and height errors relative to the object's mean side");
  table.value("per_class", f.per_class, "labels: normalise by each class's own objects; rare classes need it");
  table.value("temperature", f.temperature, "qfl, bce: divides the teacher's and the student's logits", 0.05, 100);
  ConfigTable& cwd = table.section("cwd", "channel-wise distillation of the heat logits, beside `loss`");
  cwd.value("weight", f.cwd.weight, "0: off");
  cwd.value("temperature", f.cwd.temperature, "divides both logits", 0.05, 100);
  table.choice<bool>("cells", f.cells.peaks, {{"all", false}, {"peaks", true}},
                     "where a teacher speaks: everywhere, or at its peaks and around them");
  table.value("cells_radius", f.cells.radius, "cells: peaks: so many cells around a peak", 0, 64);
  table.choice<BoxLoss>("box", f.box, {{"l1", BoxLoss::kL1}, {"giou", BoxLoss::kGiou}, {"ciou", BoxLoss::kCiou}},
                        "giou, ciou: a term on the overlap of boxes beside the L1 terms");
  table.value("labels_win", f.labels_win,
              "kd_labels, labelled: both: where a label drew its Gaussian it alone speaks for its class, elsewhere the "
              "teachers alone");
  table.choice<bool>("balance", f.balance.fixed_value, {{"off", false}, {"fixed_value", true}},
                     "fixed_value: every term is rescaled to a set value at every step");
  bind_weights(table.section("balance_value", "what balance: fixed_value rescales each term to, times its weight"),
               f.balance.value);
  bind_pseudo(table.section("pseudo", "method pseudo: how the teachers' boxes become labels (pseudo_labels.md)"),
              f.pseudo);
}

void bind_teacher(ConfigTable& table, TeacherOptions& t) {
  table.value("name", t.name, "unique in the run; its workers announce it");
  table.value("weights", t.weights,
              "a safetensors, TorchScript (.pt) or ONNX file; may be left out when workers come from outside and "
              "`classes` is given");
  table.value("classes", t.classes, "of the weights, in channel order; left out: as the weights say");
  table.value("map", t.map, "teacher's class: student's class, where the names differ; `x: ~` leaves x out");
  table.value("weight", t.weight, "auto", "for merge: weighted; auto: its AP on data.val, measured class by class", 0,
              1e6);
  bind_weights(table.section("loss_weight", "weights of its terms, on top of fusion.distill"), t.loss_weight);
  table.value("workers", t.workers, "local worker processes that distill starts", 1, 256);
  table.value("threads", t.engine.threads, "intra-op threads of each worker; part of its answer", 1, 256);
  table.value("bf16", t.engine.bf16, "compute in bfloat16; part of its answer");
  table.value("channels_last", t.engine.channels_last, "memory format; part of its answer");
  table.value("device", t.engine.device, "cpu, cuda or cuda:N");
  bind_format(table.section("format", "what somebody else's network takes and gives; part of its answer"), t.format);
}

void bind_store(ConfigTable& table, StoreOptions& s) {
  table.choice<StoreMode>("mode", s.mode, kStoreModes,
                          "record: ask the teachers for everything and keep it; replay: ask nobody; auto: ask for what "
                          "is not there yet, and keep it");
  table.value("folder", s.folder, "of its segments; any number of runs and ranks may share it (`conclave store`)");
}

void bind_service(ConfigTable& table, ServiceOptions& s) {
  table.choice("source", s.source, {"remote", "local"},
               "remote: worker processes over ZeroMQ; local: teachers in the trainer's process");
  table.value("spawn", s.spawn, "start the workers here; false: they come from outside with conclave teach");
  table.value("bind", s.remote.bind, "tcp://host:port (* picks a port), ipc://path");
  table.choice<bool>("images", s.remote.inline_images, {{"path", false}, {"inline", true}},
                     "path: workers read the files themselves; inline: leases carry the files' bytes");
  table.value("lease_mb", s.remote.lease_mb, "images: inline: MiB that the files of one lease may have together", 2,
              frame_limits::kMessage >> 20);
  table.value("lease_views", s.remote.lease_views, "consecutive views in one lease", 1, frame_limits::kViews);
  table.value("lease_seconds", s.remote.lease_seconds, "a lease not answered by then goes to another worker", 0.1,
              86400);
  table.value("heartbeat_seconds", s.remote.heartbeat_seconds, "both ways; five missed: the peer is taken for dead",
              0.05, 3600);
  table.value(
      "stall_timeout", s.remote.stall_timeout,
      "seconds since its last answer that a teacher without any worker is waited for before checkpointing and stopping",
      0.1, 1e7);
  table.value("stall_notice", s.remote.stall_notice, "seconds between notices while waiting", 0.1, 1e6);
  table.value("max_workers", s.remote.max_workers, "at once, of all teachers; further ones are refused", 1, 65536);
  ConfigTable& keys = table.section("keys", "who the trainer is, and which workers it lets in (docs/security.md)");
  keys.value("secret", s.remote.keys.secret, "the trainer's .key file, made by conclave keys; empty: no keys are used");
  keys.value("allow", s.remote.keys.allow, "the workers' .pub files, or folders of them; read again while it runs");
  bind_store(table.section("store", "what teachers said, kept on disk (src/store/STORE.md)"), s.store);
  table.value("insecure", s.remote.keys.insecure, "listen to other hosts without keys");
  table.value("status", s.status,
              "HOST:PORT where rank 0 shows its state (/metrics for Prometheus, /status as JSON), other ranks at the "
              "ports behind it; port 0 picks free ones; off: nowhere");
}

void bind_ranks(ConfigTable& table, RanksOptions& r) {
  table.value("bf16_gradients", r.bf16_gradients,
              "sum gradients over the ranks as bfloat16: half the bytes, about three digits");
  table.value("bucket_mb", r.bucket_mb, "gradients are summed in buckets of so many MiB while backward goes on", 1,
              4096);
  table.value("heartbeat_seconds", r.heartbeat_seconds, "each rank shows this often that it lives", 0.05, 3600);
  table.value("lost_seconds", r.lost_seconds, "a rank silent for so long is taken for dead, and the others leave", 0.2,
              86400);
  table.value("start_seconds", r.start_seconds, "so long ranks wait for each other at the start", 1, 86400);
}

void bind_run(ConfigTable& table, RunOptions& o) {
  table.value("run", o.run, "output folder of the run");
  table.value("seed", o.seed, "of everything random");
  table.value("classes", o.classes, "of the student, in the order of its heat channels");
  bind_model(table.section("model", "the student's network"), o);
  bind_views(table.section("views", "augmentation: how views of an image are drawn"), o.views);
  bind_data(table.section("data", "images and labels"), o);
  bind_training(table.section("training", ""), o.training);
  bind_fusion(table.section("fusion", "who supervises what, and how"), o.fusion);
  table.list<TeacherOptions>("teachers", o.teachers, "the frozen detectors to merge", bind_teacher);
  bind_service(table.section("service", "how teachers are reached"), o.service);
  bind_ranks(table.section("ranks", "processes that share each batch: --ranks, torchrun or srun"), o.ranks);
}

// The place of "a.b.0.c", or of the nearest thing above it that was written.
ConfigPlace place_of(const ConfigNode& root, const std::string& path) {
  const ConfigNode* node = &root;
  ConfigPlace place = root.place;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    if (node->kind == ConfigNode::Kind::kList) {
      const std::size_t i = std::stoul(key);
      if (i >= node->items.size()) break;
      node = &node->items[i];
    } else {
      const ConfigEntry* entry = node->find(key);
      if (entry == nullptr) break;
      node = &entry->value;
    }
    place = node->place;
    begin = end + 1;
  }
  return place;
}

// What no single key can know.
class CrossChecks {
 public:
  CrossChecks(const RunOptions& options, const ConfigNode& root, ConfigErrors& errors)
      : o_(options), root_(root), errors_(errors) {}

  void run() {
    if (o_.run.empty()) fail("run", "run is missing: name the output folder");
    if (o_.classes.empty()) fail("classes", "classes is missing: list the student's classes");
    unique("classes", o_.classes, "class");
    if (o_.model.width % 32 != 0 || o_.model.height % 32 != 0) {
      fail("model.input", "model.input is [" + std::to_string(o_.model.width) + ", " + std::to_string(o_.model.height) +
                              "], but both must be multiples of 32");
    }
    for (const auto& [key, least, most] : std::vector<std::tuple<std::string, double, double>>{
             {"views.scale", o_.views.scale_min, o_.views.scale_max},
             {"views.blur_sigma", o_.views.blur_min, o_.views.blur_max},
             {"views.erase_area", o_.views.erase_min, o_.views.erase_max},
             {"views.mosaic_scale", o_.views.mosaic_min, o_.views.mosaic_max},
             {"views.mix_share", o_.views.mix_min, o_.views.mix_max}}) {
      if (least > most) fail(key, key + ": the first is larger than the second");
    }
    if (o_.training.schedule.warmup > o_.training.schedule.steps)
      fail("training.warmup", "training.warmup, " + std::to_string(o_.training.schedule.warmup) +
                                  ", is longer than training.steps, " + std::to_string(o_.training.schedule.steps));
    if (o_.training.window < o_.training.batch) fail("training.window", "training.window must hold at least one batch");
    const std::string& device = o_.training.device;
    if (device != "cpu" && device.rfind("cuda", 0) != 0)
      fail("training.device", "training.device must be cpu, cuda or cuda:N");
    if (o_.train.empty()) fail("data.train", "data.train is missing: name at least one set");
    std::vector<std::string> names;
    for (std::size_t i = 0; i < o_.train.size(); ++i) {
      set("data.train." + std::to_string(i), o_.train[i], false);
      names.push_back(o_.train[i].name);
    }
    unique("data.train", names, "set");
    if (!o_.val.name.empty() || !o_.val.images.empty()) set("data.val", o_.val, true);
    if (!o_.test.name.empty() || !o_.test.images.empty()) set("data.test", o_.test, true);
    names.clear();
    for (std::size_t i = 0; i < o_.teachers.size(); ++i) {
      const std::string path = "teachers." + std::to_string(i);
      if (o_.teachers[i].name.empty()) fail(path, path + ".name is missing");
      names.push_back(o_.teachers[i].name);
      const bool here = o_.service.source == "local" || o_.service.spawn;
      if (o_.service.store.mode != StoreMode::kOff && o_.teachers[i].weights.empty()) {
        fail(path, path + ".weights is missing: service.store keeps targets by the hash of their weights");
        continue;
      }
      if (here && o_.teachers[i].weights.empty()) {
        fail(path, path + ".weights is missing (only workers from outside, service.spawn: false, bring their own)");
      }
    }
    unique("teachers", names, "teacher");
    if (o_.service.store.mode != StoreMode::kOff && o_.service.store.folder.empty()) {
      fail("service.store", "service.store.folder is missing: name the folder that the targets are kept in");
    }
  }

 private:
  void fail(const std::string& path, const std::string& what) { errors_.add(place_of(root_, path), what); }

  void unique(const std::string& path, const std::vector<std::string>& names, const std::string& kind) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!names[i].empty() && !seen.insert(names[i]).second)
        fail(path + "." + std::to_string(i), kind + " '" + names[i] + "' is named twice");
    }
  }

  void set(const std::string& path, const DatasetOptions& set, bool needs_labels) {
    if (set.name.empty()) fail(path, path + ".name is missing");
    if (set.images.empty()) fail(path, path + ".images is missing");
    if (needs_labels && set.annotations.empty()) fail(path, path + ".annotations is missing: AP needs labels");
    if (!set.labelled.empty() && set.annotations.empty())
      fail(path + ".labelled", path + ".labelled is given, but no annotations");
    for (std::size_t i = 0; i < set.labelled.size(); ++i) {
      if (std::find(o_.classes.begin(), o_.classes.end(), set.labelled[i]) != o_.classes.end()) continue;
      std::string text = path + ".labelled names '" + set.labelled[i] + "', which is not one of `classes`";
      if (const auto near = nearest(set.labelled[i], o_.classes)) text += "; did you mean '" + *near + "'?";
      fail(path + ".labelled." + std::to_string(i), text);
    }
  }

  const RunOptions& o_;
  const ConfigNode& root_;
  ConfigErrors& errors_;
};

struct Resolved {
  RunOptions options;
  ConfigNode root;
};

Resolved resolve(const std::string& path, const std::vector<std::string>& overrides) {
  Resolved resolved;
  ConfigErrors errors;
  resolved.root = load_config(path, overrides, errors);
  ConfigTable table;
  bind_run(table, resolved.options);
  table.read(resolved.root, errors);
  if (errors.empty()) CrossChecks(resolved.options, resolved.root, errors).run();
  errors.check();
  resolved.options.model.classes = resolved.options.classes;
  resolved.options.views.width = resolved.options.model.width;
  resolved.options.views.height = resolved.options.model.height;
  return resolved;
}

std::string print(Resolved& resolved, bool with_places) {
  ConfigTable table;
  bind_run(table, resolved.options);
  return table.print(&resolved.root, with_places);
}

}  // namespace

std::string name_of(Method method) {
  return name_in(kMethods, method);
}
std::string name_of(DistillLoss loss) {
  return name_in(kLosses, loss);
}

RunOptions read_run_options(const std::string& path, const std::vector<std::string>& overrides) {
  return resolve(path, overrides).options;
}

std::string resolved_config(const std::string& path, const std::vector<std::string>& overrides) {
  Resolved resolved = resolve(path, overrides);
  return print(resolved, false);
}

std::string resolved_with_sources(const std::string& path, const std::vector<std::string>& overrides) {
  Resolved resolved = resolve(path, overrides);
  return print(resolved, true);
}

std::string config_reference_markdown() {
  RunOptions defaults;
  ConfigTable table;
  bind_run(table, defaults);
  return "# Configuration\n\n"
         "One YAML file describes a run; `conclave train` and `conclave distill` read it. `key=value` on the command "
         "line\n"
         "overrides it (`training.lr=1e-3`, `teachers.0.workers=3`). `_base_: other.yaml` (or a list) starts from "
         "other files;\n"
         "maps merge, anything else is replaced. `${NAME}` and `${NAME:-default}` are taken from the environment.\n"
         "`conclave config run.yaml` shows the resolved values and the place that set each.\n\n"
         "This page is `conclave config --reference`: it is written by the table that parses the file.\n\n"
         "| key | type | default | meaning |\n|---|---|---|---|\n" +
         table.reference();
}

}  // namespace conclave
