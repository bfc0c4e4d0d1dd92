#pragma once

#include <ATen/autocast_mode.h>

namespace conclave {

// Autocast to bf16 for as long as it lives.
class Bf16Guard {
 public:
  Bf16Guard(c10::DeviceType device, bool on)
      : device_(device),
        was_on_(at::autocast::is_autocast_enabled(device)),
        dtype_(at::autocast::get_autocast_dtype(device)) {
    at::autocast::set_autocast_enabled(device_, on);
    if (on) at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::increment_nesting();
  }
  ~Bf16Guard() {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_dtype(device_, dtype_);
    at::autocast::set_autocast_enabled(device_, was_on_);
  }
  Bf16Guard(const Bf16Guard&) = delete;
  Bf16Guard& operator=(const Bf16Guard&) = delete;

 private:
  c10::DeviceType device_;
  bool was_on_;
  at::ScalarType dtype_;
};

}  // namespace conclave
