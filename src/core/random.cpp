#include "core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <random>
#include <utility>

namespace conclave {
namespace {

std::uint64_t finalise(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15u;

std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

}  // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  return finalise(finalise(a + kGolden) + b + kGolden);
}

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) ^ device();
}

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t q = std::uint64_t{0xCD9E8D57} * c[2];
    c = {high(q) ^ c[1] ^ key[0], low(q), high(p) ^ c[3] ^ key[1], low(p)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return c;
}

CounterRandom::CounterRandom(std::uint64_t seed, std::uint64_t stream) : key_(seed), stream_(stream) {}

void CounterRandom::refill() {
  block_ = philox4x32({low(counter_), high(counter_), low(stream_), high(stream_)}, {low(key_), high(key_)});
  ++counter_;
  left_ = 4;
}

std::uint32_t CounterRandom::next() {
  if (left_ == 0) refill();
  return block_[static_cast<std::size_t>(4 - left_--)];
}

double CounterRandom::uniform() {
  const std::uint64_t upper = next() >> 5;
  const std::uint64_t lower = next() >> 6;
  return static_cast<double>((upper << 26) | lower) * 0x1p-53;
}

double CounterRandom::uniform(double from, double to) {
  const double value = from + (to - from) * uniform();
  return value < to ? value : std::nextafter(to, from);
}

// Lemire, "Fast Random Integer Generation in an Interval", 2019.
std::uint32_t CounterRandom::below(std::uint32_t n) {
  std::uint64_t product = std::uint64_t{next()} * n;
  if (low(product) < n) {
    const std::uint32_t threshold = (0u - n) % n;
    while (low(product) < threshold) product = std::uint64_t{next()} * n;
  }
  return high(product);
}

bool CounterRandom::chance(double p) {
  return uniform() < p;
}

double CounterRandom::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::vector<std::uint32_t> permutation(std::uint32_t n, std::uint64_t seed) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  CounterRandom random(seed);
  for (std::uint32_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

}  // namespace conclave
