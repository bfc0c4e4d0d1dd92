#include "core/geometry.h"

#include <algorithm>

namespace conclave {

double iou(const Box& a, const Box& b) {
  const double width = std::min<double>(a.x1, b.x1) - std::max<double>(a.x0, b.x0);
  const double height = std::min<double>(a.y1, b.y1) - std::max<double>(a.y0, b.y0);
  const double both = std::max(0.0, width) * std::max(0.0, height);
  auto area = [](const Box& box) { return (double{box.x1} - box.x0) * (double{box.y1} - box.y0); };
  const double either = area(a) + area(b) - both;
  return either > 0 ? both / either : 0.0;
}

Box clip(const Box& box, float width, float height) {
  return {std::clamp(box.x0, 0.f, width), std::clamp(box.y0, 0.f, height), std::clamp(box.x1, 0.f, width),
          std::clamp(box.y1, 0.f, height)};
}

Affine Affine::inverse() const {
  const double determinant = a * e - b * d;
  Affine out;
  out.a = e / determinant;
  out.b = -b / determinant;
  out.d = -d / determinant;
  out.e = a / determinant;
  out.c = -(out.a * c + out.b * f);
  out.f = -(out.d * c + out.e * f);
  return out;
}

Box transform(const Affine& m, const Box& box) {
  const double x[] = {m.a * box.x0, m.a * box.x1}, xy[] = {m.b * box.y0, m.b * box.y1};
  const double y[] = {m.e * box.y0, m.e * box.y1}, yx[] = {m.d * box.x0, m.d * box.x1};
  auto smallest = [](const double* p, const double* q) { return std::min(p[0], p[1]) + std::min(q[0], q[1]); };
  auto largest = [](const double* p, const double* q) { return std::max(p[0], p[1]) + std::max(q[0], q[1]); };
  return {static_cast<float>(smallest(x, xy) + m.c), static_cast<float>(smallest(y, yx) + m.f),
          static_cast<float>(largest(x, xy) + m.c), static_cast<float>(largest(y, yx) + m.f)};
}

}  // namespace conclave
