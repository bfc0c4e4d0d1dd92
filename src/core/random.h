#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace conclave {

// Mixes two 64-bit words into one (SplitMix64's finaliser over both). Use it to derive seeds: mix(run_seed, epoch).
std::uint64_t mix(std::uint64_t a, std::uint64_t b);

// From the operating system; for names that must not meet (sessions, instances), never for anything that repeats.
std::uint64_t random_number();

// The bijection Philox4x32-10 itself: four random words from a counter and a key, as in Random123.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011).
// The n-th number is a function of (seed, n) alone, so the same seed gives the same bits in any process, thread,
// compiler and standard library. Not thread-safe; cheap to make.
class CounterRandom {
 public:
  explicit CounterRandom(std::uint64_t seed, std::uint64_t stream = 0);

  std::uint32_t next();                     // uniform over 32 bits
  double uniform();                         // [0, 1), 53 random bits
  double uniform(double low, double high);  // [low, high)
  std::uint32_t below(std::uint32_t n);     // [0, n) without modulo bias; REQUIRES: n > 0
  bool chance(double p);                    // true with probability p
  double normal();                          // mean 0, deviation 1 (Box-Muller)

 private:
  void refill();

  std::uint64_t key_;
  std::uint64_t stream_;
  std::uint64_t counter_ = 0;
  std::array<std::uint32_t, 4> block_ = {};
  int left_ = 0;
};

// 0..n-1 in an order fixed by the seed (Fisher-Yates).
std::vector<std::uint32_t> permutation(std::uint32_t n, std::uint64_t seed);

}  // namespace conclave
