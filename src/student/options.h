#pragma once

#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/view.h"
#include "fusion/fuse.h"
#include "models/spec.h"
#include "ranks/options.h"
#include "store/store_options.h"
#include "teachers/engine.h"
#include "teachers/remote_source.h"

namespace conclave {

struct OptimizerOptions {
  std::string type = "adamw";         // adamw or sgd
  double lr = 2e-3;                   // peak learning rate
  double weight_decay = 1e-4;         // not applied to biases and normalisation
  double momentum = 0.9;              // sgd
  double beta1 = 0.9, beta2 = 0.999;  // adamw
  double clip = 10.0;                 // largest gradient norm; 0: no clipping
};

struct ScheduleOptions {
  int steps = 1000;                             // optimizer steps of the whole training
  int warmup = 100;                             // steps of linear warm-up
  std::string type = "cosine";                  // cosine (to 0), step or constant
  std::vector<double> milestones = {0.7, 0.9};  // step: shares of the training at which the rate is divided by 10
};

// The mean of the weights late in the training ("stochastic weight averaging", Izmailov et al. 2018).
struct SwaOptions {
  int every = 0;         // steps from one set of weights that counts to the next, the last step's included; 0: off
  double from = 0.75;    // share of the training after which weights count
  int norm_views = 256;  // training views over which the mean's normalisation statistics are taken; 0: averaged too
};

struct TrainOptions {
  int batch = 8;  // views per step, of all ranks together
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  double ema = 0.0;            // decay of the averaged weights per step (0.998, say); 0: off
  SwaOptions swa;              // what is shipped once it has begun
  bool bf16 = true;            // bfloat16 autocast
  bool channels_last = true;   // memory format
  std::string device = "cpu";  // cpu, cuda or cuda:N
  int threads = 0;             // intra-op threads of the student; 0: all cores, shared by the ranks of this host
  int loader_threads = 1;
  int window = 64;     // views in flight, of all ranks together
  int eval_every = 0;  // steps between evaluations on the validation set; 0: at the end only
  int eval_batch = 16;
  int checkpoint_every = 200;  // steps
  int log_every = 20;          // steps
  int trace_steps = 0;         // of this process: where their time goes, as a Chrome trace
  bool norm_eval = false;      // normalisation trains with the statistics it starts with (frozen)
  std::string init;            // weights to start from (the backbone and neck of another detector); empty: fresh
  bool init_heads = false;     // and its heads: classes of the same name, widths and heights, offsets
};

// One teacher of a run.
struct TeacherOptions {
  std::string name;
  std::string weights;  // safetensors, TorchScript or ONNX file; may be empty when its workers come from outside
  std::vector<std::string> classes;  // of the weights, in channel order; empty: as the weights say
  std::vector<std::pair<std::string, std::string>>
      map;                             // teacher class -> student class; unnamed ones map to themselves
  std::optional<double> weight = 1.0;  // for merge: weighted; none: its AP on the validation set, class by class
  LossWeights loss_weight;             // of its terms
  int workers = 1;                     // local processes that distill starts
  TeacherFormat format;                // of a TorchScript or ONNX file; of own weights the input's size
  EngineOptions engine;

  // What an engine loads.
  TeacherFile file() const {
    TeacherFile file(weights);
    file.classes = classes;
    file.format = format;
    return file;
  }
};

struct ServiceOptions {
  std::string source = "remote";  // remote: worker processes over ZeroMQ; local: teachers in the trainer's process
  bool spawn = true;              // start the teachers' local workers; false: they come from outside
  RemoteOptions remote;
  StoreOptions store;  // of what the teachers say
  std::string status =
      "127.0.0.1:0";  // where a rank shows its state over HTTP, each at a port of its own; off: nowhere
};

// A whole run, as train and distill read it.
struct RunOptions {
  std::string run;  // output folder
  std::uint64_t seed = 0;
  std::vector<std::string> classes;
  ModelSpec model;  // architecture, input size, normalisation; classes are filled in
  ViewOptions views;
  std::vector<DatasetOptions> train;  // sets to learn from
  int views_per_image = 0;            // views of an image, in turn by epoch; 0: fresh ones each time
  DatasetOptions val, test;           // fully labelled; name empty: none
  TrainOptions training;
  FusionOptions fusion;
  std::vector<TeacherOptions> teachers;
  ServiceOptions service;
  RanksOptions ranks;
};

}  // namespace conclave
