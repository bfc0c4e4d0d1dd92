#pragma once

namespace conclave {

// How the ranks of one training work together.
struct RanksOptions {
  bool bf16_gradients = false;   // gradients are summed as bfloat16: half the bytes, about three digits
  int bucket_mb = 25;            // gradients are summed in buckets of this size while backward goes on
  double heartbeat_seconds = 1;  // each rank shows this often that it lives
  double lost_seconds = 8;       // a rank silent for so long is taken for dead, and the others leave
  double start_seconds = 300;    // so long ranks wait for each other at the start
};

}  // namespace conclave
