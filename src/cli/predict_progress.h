#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

#include "core/clock.h"

namespace conclave {

// Counts pictures as they are done and says so on a stream: rewritten in place on a terminal, else a line every ten
// seconds.
class PredictProgress {
 public:
  // `total`: pictures expected; 0: unknown.
  PredictProgress(std::FILE* stream, bool terminal, const Clock& clock, std::size_t total);
  ~PredictProgress();  // ends the line

  // One more picture, with so many objects.
  void add(std::size_t objects);
  // More pictures are expected: a video's frames.
  void expect(std::size_t more) { total_ += more; }

  std::size_t pictures() const { return pictures_; }
  std::size_t objects() const { return objects_; }
  double images_per_second() const;
  // "120/500 images  31.0 images/s"
  std::string text() const;

 private:
  std::FILE* stream_;
  bool terminal_;
  const Clock& clock_;
  std::size_t total_;
  TimePoint start_, next_;
  std::size_t pictures_ = 0, objects_ = 0;
  bool open_ = false;  // a line without end is on the terminal
};

}  // namespace conclave
