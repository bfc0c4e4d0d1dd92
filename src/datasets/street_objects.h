#pragma once

#include <opencv2/core/types.hpp>

#include "core/random.h"
#include "datasets/street_brush.h"

namespace conclave {

// Each draws one thing whose feet or wheels stand at `ground`, `height` pixels tall, varied by `random`.
void draw_person(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float height);
void draw_car(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float height, bool lights);

// Things that a detector may take for a person or a car: posts with round signs, mailboxes, bins, kiosks, benches,
// bushes.
void draw_clutter(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float height);

// Sky, buildings, pavement, road, trees and lamp posts; `horizon` is where the ground begins.
void draw_scenery(StreetBrush& brush, CounterRandom& random, float horizon);

}  // namespace conclave
