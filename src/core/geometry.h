#pragma once

namespace conclave {

// An axis-aligned box in pixels of the image it belongs to; x0 <= x1, y0 <= y1, continuous coordinates: the pixel at
// column c covers [c, c+1).
struct Box {
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;

  float width() const { return x1 - x0; }
  float height() const { return y1 - y0; }
  float area() const { return width() * height(); }
};

// Intersection over union of two boxes; 0 where both are empty.
double iou(const Box& a, const Box& b);

// The part of the box inside [0,width] x [0,height].
Box clip(const Box& box, float width, float height);

// x' = a x + b y + c,  y' = d x + e y + f, on continuous coordinates.
struct Affine {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;

  Affine inverse() const;  // REQUIRES: invertible
};

// The bounding box of the transformed corners.
Box transform(const Affine& affine, const Box& box);

}  // namespace conclave
