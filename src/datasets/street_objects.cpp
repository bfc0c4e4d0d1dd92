#include "datasets/street_objects.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace conclave {
namespace {

cv::Scalar colour(CounterRandom& random, double low = 20, double high = 235) {
  const double r = random.uniform(low, high), g = random.uniform(low, high), b = random.uniform(low, high);
  return {r, g, b};
}

cv::Scalar grey(CounterRandom& random, double low, double high) {
  const double level = random.uniform(low, high);
  return {level, level, level + random.uniform(-8, 12)};
}

cv::Scalar shade(const cv::Scalar& base, double factor) {
  return {base[0] * factor, base[1] * factor, base[2] * factor};
}

cv::Scalar skin(CounterRandom& random) {
  static const cv::Scalar tones[] = {{241, 203, 172}, {224, 172, 134}, {188, 132, 93}, {141, 92, 60}, {92, 58, 40}};
  return shade(tones[random.below(5)], random.uniform(0.9, 1.05));
}

float draw(CounterRandom& random, double low, double high) {
  return static_cast<float>(random.uniform(low, high));
}

void car_from_side(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float h, const cv::Scalar& paint,
                   bool lights) {
  const float length = h * draw(random, 2.1, 3.0);
  const int kind = static_cast<int>(random.below(4));  // saloon, hatchback, van, pick-up
  const float facing = random.chance(0.5) ? 1.0f : -1.0f;
  const float y = ground.y;
  const auto at = [&](float along, float up) {
    return cv::Point2f(ground.x + facing * (along - 0.5f) * length, y - up * h);
  };
  const float belt = draw(random, 0.5, 0.62), sill = 0.16f;
  const std::vector<float> roof = kind == 0   ? std::vector<float>{0.22f, 0.34f, 0.66f, 0.80f}
                                  : kind == 1 ? std::vector<float>{0.04f, 0.14f, 0.62f, 0.78f}
                                  : kind == 2 ? std::vector<float>{0.01f, 0.03f, 0.78f, 0.90f}
                                              : std::vector<float>{0.46f, 0.50f, 0.72f, 0.82f};
  brush.polygon({at(roof[0], belt), at(roof[1], 1), at(roof[2], 1), at(roof[3], belt)}, shade(paint, 0.92));
  brush.polygon(
      {at(0, sill), at(0, belt * 0.95f), at(0.03f, belt), at(0.97f, belt * 0.93f), at(1, belt * 0.6f), at(1, sill)},
      paint);
  brush.polygon({at(0, sill), at(0, sill + 0.12f), at(1, sill + 0.12f), at(1, sill)}, shade(paint, 0.7));
  const cv::Scalar glass = shade({150, 175, 195}, random.uniform(0.35, 1.0));
  const float middle = (roof[1] + roof[2]) / 2;
  brush.polygon({at(roof[0] + 0.05f, belt + 0.03f), at(roof[1] + 0.02f, 0.93f), at(middle - 0.015f, 0.93f),
                 at(middle - 0.015f, belt + 0.03f)},
                glass);
  brush.polygon({at(middle + 0.015f, belt + 0.03f), at(middle + 0.015f, 0.93f), at(roof[2] - 0.01f, 0.93f),
                 at(roof[3] - 0.05f, belt + 0.03f)},
                glass);
  brush.line(at(middle, sill + 0.1f), at(middle, belt), std::max(1.0f, h * 0.012f), shade(paint, 0.6));
  const float radius = h * draw(random, 0.17, 0.21);
  for (const float along : {draw(random, 0.17, 0.21), draw(random, 0.78, 0.82)}) {
    const cv::Point2f hub(at(along, 0).x, y - radius);
    brush.ellipse(hub, radius, radius, {22, 22, 24});
    brush.ellipse(hub, radius * 0.55f, radius * 0.55f, grey(random, 90, 200));
  }
  brush.ellipse(at(0.985f, belt * 0.72f), h * 0.045f, h * 0.05f,
                lights ? cv::Scalar(255, 250, 210) : cv::Scalar(225, 225, 215));
  brush.ellipse(at(0.015f, belt * 0.75f), h * 0.035f, h * 0.05f,
                lights ? cv::Scalar(255, 60, 50) : cv::Scalar(150, 25, 25));
}

void car_from_the_front(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float h, const cv::Scalar& paint,
                        bool lights) {
  const float w = h * draw(random, 1.05, 1.3);
  const bool rear = random.chance(0.5);
  const auto at = [&](float across, float up) { return cv::Point2f(ground.x + across * w / 2, ground.y - up * h); };
  for (const float side : {-1.0f, 1.0f}) {
    brush.rectangle(std::min(at(side * 0.95f, 0).x, at(side * 0.68f, 0).x), ground.y - 0.25f * h,
                    std::max(at(side * 0.95f, 0).x, at(side * 0.68f, 0).x), ground.y, {20, 20, 22});
  }
  brush.polygon({at(-0.86f, 0.55f), at(-0.66f, 1), at(0.66f, 1), at(0.86f, 0.55f)}, shade(paint, 0.9));
  brush.polygon({at(-0.72f, 0.58f), at(-0.58f, 0.94f), at(0.58f, 0.94f), at(0.72f, 0.58f)},
                shade({150, 175, 195}, random.uniform(0.3, 0.95)));
  brush.polygon({at(-1, 0.14f), at(-1, 0.48f), at(-0.88f, 0.6f), at(0.88f, 0.6f), at(1, 0.48f), at(1, 0.14f)}, paint);
  brush.polygon({at(-1, 0.14f), at(-1, 0.24f), at(1, 0.24f), at(1, 0.14f)}, shade(paint, 0.6));
  if (!rear) brush.polygon({at(-0.5f, 0.28f), at(-0.5f, 0.42f), at(0.5f, 0.42f), at(0.5f, 0.28f)}, {38, 38, 40});
  const cv::Scalar lamp = rear ? (lights ? cv::Scalar(255, 50, 40) : cv::Scalar(165, 25, 25))
                               : (lights ? cv::Scalar(255, 252, 215) : cv::Scalar(225, 225, 210));
  for (const float side : {-0.78f, 0.78f}) brush.ellipse(at(side, 0.42f), w * 0.085f, h * 0.06f, lamp);
  brush.rectangle(at(-0.2f, 0).x, ground.y - 0.27f * h, at(0.2f, 0).x, ground.y - 0.19f * h, {220, 220, 205});
}

void tree(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float h) {
  brush.line(ground, {ground.x + draw(random, -0.05, 0.05) * h, ground.y - 0.6f * h}, h * draw(random, 0.05, 0.09),
             shade({96, 70, 48}, random.uniform(0.6, 1.1)));
  const cv::Scalar leaf = shade({62, 112, 50}, random.uniform(0.5, 1.3));
  for (int i = 0; i < 9; ++i) {
    brush.ellipse({ground.x + draw(random, -0.22, 0.22) * h, ground.y - draw(random, 0.5, 0.92) * h},
                  h * draw(random, 0.1, 0.18), h * draw(random, 0.09, 0.15), shade(leaf, random.uniform(0.75, 1.2)));
  }
}

void lamp_post(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float h) {
  const cv::Scalar metal = grey(random, 40, 120);
  const float side = random.chance(0.5) ? 1.0f : -1.0f;
  brush.line(ground, {ground.x, ground.y - h}, std::max(1.5f, h * 0.025f), metal);
  brush.line({ground.x, ground.y - h}, {ground.x + side * 0.15f * h, ground.y - h * 1.02f}, std::max(1.5f, h * 0.02f),
             metal);
  brush.ellipse({ground.x + side * 0.17f * h, ground.y - h * 1.01f}, h * 0.035f, h * 0.018f, {250, 240, 190});
}

void building(StreetBrush& brush, CounterRandom& random, float x0, float x1, float top, float base) {
  const cv::Scalar wall = colour(random, 70, 205);
  brush.rectangle(x0, top, x1, base, wall);
  const float step = draw(random, 14, 30), lit = draw(random, 0, 0.5);
  const cv::Scalar pane = shade({130, 150, 170}, random.uniform(0.3, 1.0));
  for (float y = top + step * 0.4f; y < base - step * 0.8f; y += step) {
    for (float x = x0 + step * 0.35f; x < x1 - step * 0.5f; x += step) {
      brush.rectangle(x, y, x + step * 0.45f, y + step * 0.55f, random.chance(lit) ? cv::Scalar(235, 215, 150) : pane);
    }
  }
  if (random.chance(0.6))
    brush.rectangle(x0, base - step * 0.9f, x1, base - step * 0.65f, colour(random, 40, 220));  // an awning
}

}  // namespace

void draw_person(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float h) {
  const cv::Scalar shirt = colour(random), trousers = colour(random, 15, 150), face = skin(random);
  const cv::Scalar hair = shade({90, 62, 40}, random.uniform(0.15, 1.6));
  const float lean = draw(random, -0.03, 0.03), stride = draw(random, 0, 0.14), build = draw(random, 0.85, 1.3);
  const auto at = [&](float across, float up) {
    return cv::Point2f(ground.x + (across + lean * up) * h, ground.y - up * h);
  };
  const float hip = draw(random, 0.46, 0.52), shoulder = draw(random, 0.8, 0.83), half = 0.115f * build;
  const float limb = 0.075f * h * build;
  const float side = random.chance(0.5) ? 1.0f : -1.0f;
  const bool skirt = random.chance(0.2);
  for (const float leg : {-1.0f, 1.0f}) {
    const cv::Point2f foot = at(leg * (0.05f + stride * 0.6f), leg * side > 0 ? 0.0f : stride * 0.15f);
    brush.line(at(leg * 0.05f, hip), foot, limb, skirt ? face : shade(trousers, leg > 0 ? 1.0 : 0.82));
    brush.ellipse({foot.x + side * 0.02f * h, foot.y - 0.012f * h}, 0.045f * h, 0.018f * h, shade(trousers, 0.4));
  }
  if (skirt)
    brush.polygon({at(-half * 0.8f, hip + 0.06f), at(half * 0.8f, hip + 0.06f), at(half * 1.5f, hip - 0.17f),
                   at(-half * 1.5f, hip - 0.17f)},
                  trousers);
  const float swing = draw(random, -0.16, 0.16);
  brush.line(at(-half, shoulder), at(-half - 0.03f + swing, hip + 0.02f), limb * 0.75f, shade(shirt, 0.8));
  brush.polygon(
      {at(-half, shoulder), at(half, shoulder), at(half * 0.85f, hip - 0.03f), at(-half * 0.85f, hip - 0.03f)}, shirt);
  if (random.chance(0.35)) {  // an open jacket
    brush.polygon(
        {at(-half * 0.25f, shoulder), at(half * 0.25f, shoulder), at(half * 0.15f, hip), at(-half * 0.15f, hip)},
        colour(random, 100, 250));
  }
  if (random.chance(0.5)) {
    const cv::Point2f elbow = at(half + 0.06f, (shoulder + hip) / 2);
    brush.line(at(half, shoulder), elbow, limb * 0.75f, shade(shirt, 0.9));
    brush.line(elbow, at(half - swing, hip + 0.1f), limb * 0.65f, face);
  } else {
    brush.line(at(half, shoulder), at(half + 0.03f - swing, hip + 0.02f), limb * 0.75f, shade(shirt, 0.9));
  }
  brush.line(at(0, shoulder - 0.01f), at(0, 0.88f), limb * 0.6f, face);
  brush.ellipse(at(0, 0.925f), 0.058f * h, 0.072f * h, face);
  brush.ellipse(at(-side * 0.012f, 0.955f), 0.06f * h, random.chance(0.3) ? 0.07f * h : 0.045f * h, hair);
  if (random.chance(0.3))
    brush.rectangle(at(side * half, 0).x - 0.04f * h, at(0, hip + 0.16f).y, at(side * half, 0).x + 0.06f * h,
                    at(0, hip - 0.04f).y, colour(random, 20, 160));
  if (random.chance(0.12)) {  // a hat
    brush.ellipse(at(0, 0.985f), 0.085f * h, 0.02f * h, shade(trousers, 0.8));
    brush.ellipse(at(0, 1.0f), 0.05f * h, 0.03f * h, shade(trousers, 0.8));
  }
}

void draw_car(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float h, bool lights) {
  const cv::Scalar paint = random.chance(0.45) ? grey(random, 25, 240) : colour(random, 25, 230);
  if (random.chance(0.62)) {
    car_from_side(brush, random, ground, h, paint, lights);
  } else {
    car_from_the_front(brush, random, ground, h, paint, lights);
  }
}

void draw_clutter(StreetBrush& brush, CounterRandom& random, cv::Point2f ground, float h) {
  const auto at = [&](float across, float up) { return cv::Point2f(ground.x + across * h, ground.y - up * h); };
  const cv::Scalar paint = colour(random, 30, 220);
  switch (random.below(7)) {
    case 0:  // a post with a round sign, as tall as a person
      brush.line(at(0, 0), at(0, 0.9f), 0.05f * h, grey(random, 80, 180));
      brush.ellipse(at(0, 0.92f), 0.13f * h, 0.13f * h, paint);
      brush.ellipse(at(0, 0.92f), 0.09f * h, 0.09f * h, {235, 235, 230});
      break;
    case 1:  // a mailbox or bin
      brush.rectangle(at(-0.13f, 0).x, at(0, 0.6f).y, at(0.13f, 0).x, ground.y, paint);
      brush.ellipse(at(0, 0.6f), 0.13f * h, 0.05f * h, shade(paint, 0.8));
      break;
    case 2:  // an advertising column with a head-like top
      brush.rectangle(at(-0.1f, 0).x, at(0, 0.8f).y, at(0.1f, 0).x, ground.y, paint);
      brush.rectangle(at(-0.08f, 0).x, at(0, 0.7f).y, at(0.08f, 0).x, at(0, 0.4f).y, colour(random, 60, 250));
      brush.ellipse(at(0, 0.88f), 0.08f * h, 0.09f * h, shade(paint, 1.2));
      break;
    case 3:  // a kiosk or container: a box with a window, as large as a car
      brush.rectangle(at(-0.65f, 0).x, at(0, 0.75f).y, at(0.65f, 0).x, ground.y, paint);
      brush.rectangle(at(-0.5f, 0).x, at(0, 0.65f).y, at(0.2f, 0).x, at(0, 0.4f).y,
                      shade({140, 160, 175}, random.uniform(0.4, 1)));
      break;
    case 4:  // a bush
      for (int i = 0; i < 6; ++i) {
        brush.ellipse(at(draw(random, -0.25, 0.25), draw(random, 0.1, 0.35)), 0.16f * h, 0.13f * h,
                      shade({60, 105, 48}, random.uniform(0.6, 1.25)));
      }
      break;
    case 5:  // a bench
      brush.rectangle(at(-0.4f, 0).x, at(0, 0.28f).y, at(0.4f, 0).x, at(0, 0.2f).y,
                      shade({130, 92, 58}, random.uniform(0.6, 1.2)));
      brush.rectangle(at(-0.4f, 0).x, at(0, 0.48f).y, at(0.4f, 0).x, at(0, 0.36f).y,
                      shade({130, 92, 58}, random.uniform(0.6, 1.2)));
      for (const float leg : {-0.33f, 0.33f}) brush.line(at(leg, 0), at(leg, 0.4f), 0.04f * h, {50, 50, 52});
      break;
    default:  // two wheels without a car: a cart
      brush.rectangle(at(-0.4f, 0).x, at(0, 0.45f).y, at(0.4f, 0).x, at(0, 0.15f).y, paint);
      for (const float wheel : {-0.28f, 0.28f}) brush.ellipse(at(wheel, 0.1f), 0.1f * h, 0.1f * h, {25, 25, 28});
  }
}

void draw_scenery(StreetBrush& brush, CounterRandom& random, float horizon) {
  const float width = static_cast<float>(brush.image().cols), height = static_cast<float>(brush.image().rows);
  const cv::Scalar sky = shade({170, 195, 225}, random.uniform(0.7, 1.1));
  for (float y = 0; y < horizon + 4; y += 4) brush.rectangle(0, y, width, y + 4, shade(sky, 0.85 + 0.2 * y / height));
  for (float x = -20; x < width;) {
    const float w = draw(random, 0.12, 0.32) * width;
    if (random.chance(0.85))
      building(brush, random, x, x + w, horizon - draw(random, 0.15, 0.95) * horizon, horizon + 3);
    x += w + (random.chance(0.3) ? draw(random, 0, 30) : 0);
  }
  const cv::Scalar pavement = grey(random, 120, 185), road = grey(random, 55, 110);
  brush.rectangle(0, horizon, width, height, pavement);
  const float kerb = horizon + draw(random, 0.12, 0.3) * (height - horizon);
  brush.rectangle(0, kerb, width, height, road);
  brush.rectangle(0, kerb, width, kerb + 2.5f, shade(pavement, 1.15));
  const float middle = kerb + draw(random, 0.35, 0.6) * (height - kerb);
  for (float x = draw(random, -40, 0); x < width; x += 60)
    brush.rectangle(x, middle, x + 32, middle + 4, {215, 212, 195});
  const int trees = static_cast<int>(random.below(4)), lamps = static_cast<int>(random.below(3));
  for (int i = 0; i < trees; ++i)
    tree(brush, random, {draw(random, 0, 1) * width, horizon + draw(random, 2, 20)}, draw(random, 0.25, 0.5) * height);
  for (int i = 0; i < lamps; ++i)
    lamp_post(brush, random, {draw(random, 0, 1) * width, horizon + draw(random, 2, 14)},
              draw(random, 0.3, 0.55) * height);
}

}  // namespace conclave
