#include "datasets/glyph_drawing.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace kshot {
namespace {

constexpr double kPi = std::numbers::pi;

Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
Point operator*(double s, Point p) { return {s * p.x, s * p.y}; }
double dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
double length(Point p) { return std::sqrt(dot(p, p)); }

template <class T>
const T& pick(const std::vector<T>& items, Stream& stream) {
  return items[stream.below(items.size())];
}

bool chance(double p, Stream& stream) { return stream.uniform() < p; }

// ---- the vocabulary: shapes from (0,0) to (1,0) that rise to about `height`

using Motif = AlphabetStyle::Motif;

PenStroke line() { return {{{0, 0}, {0.5, 0}, {1, 0}}}; }

/// Part of an ellipse that stands on (0,0) and (1,0); two quarters are a bow, four a closed ring.
PenStroke arc(double height, int quarters) {
  PenStroke stroke;
  for (int i = 0; i <= 2 * quarters; ++i) {
    const double angle = kPi * i / 4;
    stroke.points.push_back({(1 - std::cos(angle)) / 2, height * std::sin(angle)});
  }
  return stroke;
}

Motif invent_round(Stream& stream) {
  const double h = stream.uniform(0.3, 0.6);
  switch (stream.below(6)) {
    case 0:
      return {arc(h, 2), 1.2};
    case 1:
      return {arc(h, 3), 1.5};
    case 2:
      return {arc(h, 4), 2};
    case 3:
      return {{{{0, 0}, {0.22, h}, {0.5, 0}, {0.78, -h}, {1, 0}}}, 2};  // wave
    case 4:
      return {{{{0, 0}, {0.55, 0}, {0.9, 0.1 * h}, {1, 0.5 * h}, {0.75, h}}}, 1.5};  // hook
    default:                                                                         // loop
      return {{{{0, 0}, {0.5, 0}, {0.72, 0.5 * h}, {0.5, h}, {0.28, 0.5 * h}, {0.5, 0}, {1, 0}}},
              2.2};
  }
}

Motif invent_angular(Stream& stream) {
  const double h = stream.uniform(0.35, 0.75);
  switch (stream.below(4)) {
    case 0:
      return {{{{0, 0}, {0.5, h}, {1, 0}}, false}, 1.5};  // roof
    case 1:
      return {{{{0, 0}, {0, h}, {1, h}}, false}, 1.5};  // angle
    case 2:
      return {{{{0, 0}, {0.33, h}, {0.67, -h / 3}, {1, h}}, false}, 2.2};  // zigzag
    default:
      return {{{{0, 0}, {0, h}, {1, h}, {1, 0}}, false}, 2.2};  // gate
  }
}

/// The shape moved so that it runs from `from` to `to`.
PenStroke place(PenStroke shape, Point from, Point to, bool mirror) {
  const Point along = to - from;
  const Point across = (mirror ? -1.0 : 1.0) * Point{-along.y, along.x};
  for (Point& p : shape.points) p = from + p.x * along + p.y * across;
  return shape;
}

std::vector<double> invent_lines(int64_t count, double extent, Stream& stream) {
  std::vector<double> lines;
  for (int64_t i = 0; i < count; ++i) {
    const double even = -1 + 2.0 * static_cast<double>(i) / static_cast<double>(count - 1);
    const bool inner = i > 0 && i + 1 < count;
    lines.push_back(extent * (even + (inner ? stream.uniform(-0.25, 0.25) : 0)));
  }
  return lines;
}

Point lattice_point(const AlphabetStyle& style, Stream& stream) {
  const double x = pick(style.columns, stream);
  return {x, pick(style.rows, stream)};
}

/// How far a new stroke keeps from those already there, on average over its points.
double distance_between(const PenStroke& stroke, const Character& others) {
  double sum = 0;
  for (const Point& p : stroke.points) {
    double nearest = 2;
    for (const PenStroke& other : others) {
      for (size_t i = 0; i + 1 < other.points.size(); ++i) {
        const Point middle = 0.5 * (other.points[i] + other.points[i + 1]);
        nearest = std::min({nearest, length(p - middle), length(p - other.points[i]),
                            length(p - other.points[i + 1])});
      }
    }
    sum += nearest;
  }
  return sum / static_cast<double>(stroke.points.size());
}

const Motif& pick_motif(const AlphabetStyle& style, Stream& stream) {
  double total = 0;
  for (const Motif& motif : style.vocabulary) total += motif.weight;
  double left = stream.uniform(0, total);
  for (const Motif& motif : style.vocabulary) {
    left -= motif.weight;
    if (left < 0) return motif;
  }
  return style.vocabulary.back();
}

/// The motif somewhere on the lattice, perhaps hanging on a stroke that is already there.
PenStroke place_somewhere(const AlphabetStyle& style, const Motif& motif, const Character& before,
                          Stream& stream) {
  Point from, to;
  do {
    from = lattice_point(style, stream);
    if (!before.empty() && chance(style.connected, stream)) {
      from = pick(pick(before, stream).points, stream);
    }
    to = lattice_point(style, stream);
    if (chance(style.upright, stream)) {
      if (chance(0.5, stream))
        to.x = from.x;
      else
        to.y = from.y;
    }
  } while (length(to - from) < 0.6);
  const double longest = motif.effort > 1 ? 1.3 : 2;
  to = from + std::min(1.0, longest / length(to - from)) * (to - from);
  return place(motif.shape, from, to, chance(style.mirrored, stream));
}

struct Box {
  Point low{1e9, 1e9}, high{-1e9, -1e9};

  explicit Box(const Character& character) {
    for (const PenStroke& stroke : character) {
      for (const Point& p : stroke.points) {
        low = {std::min(low.x, p.x), std::min(low.y, p.y)};
        high = {std::max(high.x, p.x), std::max(high.y, p.y)};
      }
    }
  }
  Point centre() const { return 0.5 * (low + high); }
  double extent() const { return std::max(high.x - low.x, high.y - low.y); }
};

// ---- one drawing

/// The pen's path as a fine polyline: a Catmull-Rom spline, or straight lines between corners.
PenStroke trace(const PenStroke& stroke, double haste) {
  constexpr int kPieces = 6;
  const auto& p = stroke.points;
  const size_t last = p.size() - 1;
  PenStroke path;
  for (size_t i = 0; i < last; ++i) {
    const Point a = p[i == 0 ? 0 : i - 1], b = p[i], c = p[i + 1], d = p[std::min(i + 2, last)];
    for (int k = 0; k < kPieces; ++k) {
      const double t = static_cast<double>(k) / kPieces;
      const Point straight = b + t * (c - b);
      const Point curved =
          0.5 * (2.0 * b + t * (c - a) + t * t * (2.0 * a - 5.0 * b + 4.0 * c - d) +
                 t * t * t * (3.0 * b - a - 3.0 * c + d));
      const double bend = stroke.smooth ? 1 : haste;
      path.points.push_back((1 - bend) * straight + bend * curved);
    }
  }
  path.points.push_back(p.back());
  return path;
}

/// Each stroke a little off its place and its shape.
Character misplace(Character character, double error, Stream& stream) {
  for (PenStroke& stroke : character) {
    const Box box({stroke});
    const Point centre = box.centre();
    const Point shift{error * 0.13 * stream.normal(), error * 0.13 * stream.normal()};
    const double scale = std::exp(error * 0.18 * stream.normal());
    const double turn = error * 0.18 * stream.normal();
    const Point x{scale * std::cos(turn), scale * std::sin(turn)}, y{-x.y, x.x};
    const double wobble = error * 0.06 * std::min(box.extent(), 1.4);  // small shapes stay legible
    for (Point& p : stroke.points) {
      const Point off = p - centre;
      p = centre + shift + off.x * x + off.y * y + wobble * Point{stream.normal(), stream.normal()};
    }
  }
  return character;
}

void ink_segment(Point a, Point b, double pen, int64_t size, std::span<uint8_t> pixels) {
  const double reach = pen / 2 + 0.5;
  const Point along = b - a;
  const double squared = std::max(dot(along, along), 1e-12);
  const auto first = [&](double v) {
    return std::max<int64_t>(0, static_cast<int64_t>(v - reach));
  };
  const auto last = [&](double v) { return std::min(size - 1, static_cast<int64_t>(v + reach)); };
  for (int64_t row = first(std::min(a.y, b.y)); row <= last(std::max(a.y, b.y)); ++row) {
    for (int64_t column = first(std::min(a.x, b.x)); column <= last(std::max(a.x, b.x)); ++column) {
      const Point p{static_cast<double>(column) + 0.5, static_cast<double>(row) + 0.5};
      const double t = std::clamp(dot(p - a, along) / squared, 0.0, 1.0);
      const double cover = std::clamp(reach - length(p - a - t * along), 0.0, 1.0);
      const auto shade = static_cast<uint8_t>(std::lround(255 * (1 - cover)));
      uint8_t& pixel = pixels[static_cast<size_t>(row * size + column)];
      pixel = std::min(pixel, shade);
    }
  }
}

}  // namespace

AlphabetStyle invent_alphabet(Stream stream) {
  AlphabetStyle style;
  style.vocabulary.push_back({line(), 1, stream.uniform(1, 3)});
  const double roundness = stream.uniform();
  for (uint64_t i = 3 + stream.below(3); i > 0; --i) {
    Motif motif = chance(roundness, stream) ? invent_round(stream) : invent_angular(stream);
    motif.weight = stream.uniform(0.4, 1.5);
    style.vocabulary.push_back(std::move(motif));
  }
  const double width = stream.uniform(0.55, 0.9);
  style.columns = invent_lines(2 + static_cast<int64_t>(stream.below(2)), width, stream);
  style.rows = invent_lines(3, 1, stream);
  style.effort = stream.uniform(2.4, 3.6);
  style.upright = stream.uniform(0.4, 0.95);
  style.connected = stream.uniform(0.6, 0.95);
  style.mirrored = stream.uniform(0.1, 0.9);
  style.dotted = chance(0.3, stream) ? stream.uniform(0.15, 0.4) : 0;
  if (chance(0.4, stream)) {  // an upright or a headline
    const double x = pick(style.columns, stream), y = chance(0.7, stream) ? -1 : 1;
    style.stem = chance(0.6, stream) ? place(line(), {x, -1}, {x, 1}, false)
                                     : place(line(), {-width, y}, {width, y}, false);
    style.stemmed = stream.uniform(0.3, 0.7);
  }
  return style;
}

Character invent_character(const AlphabetStyle& style, Stream stream) {
  Character character;
  double effort = 0;
  if (chance(style.stemmed, stream)) {
    character.push_back(style.stem);
    effort += 1;
  }
  const double wanted = std::clamp(style.effort + 0.7 * stream.normal(), 1.8, 4.5);
  while (effort < wanted - 0.5) {
    const Motif& motif = pick_motif(style, stream);
    PenStroke stroke = place_somewhere(style, motif, character, stream);
    for (int tries = 0; tries < 12 && distance_between(stroke, character) < 0.32; ++tries) {
      stroke = place_somewhere(style, motif, character, stream);
    }
    character.push_back(std::move(stroke));
    effort += motif.effort;
  }
  if (chance(style.dotted, stream)) {
    const Point at = lattice_point(style, stream);
    character.push_back({{at, at + Point{0.08, 0.08}}});
  }
  const Box box(character);
  for (PenStroke& stroke : character) {
    for (Point& p : stroke.points) p = (2 / box.extent()) * (p - box.centre());
  }
  return character;
}

Hand invent_hand(double jitter, Stream stream) {
  return {.slant = jitter * 0.16 * stream.normal(),
          .turn = jitter * 0.06 * stream.normal(),
          .size = std::exp(jitter * 0.08 * stream.normal()),
          .stretch = jitter * 0.09 * stream.normal(),
          .pen = stream.uniform(1.6, 2.4),
          .unsteadiness = stream.uniform(0.6, 1.4),
          .haste = stream.uniform()};
}

void draw(const Character& character, const Hand& hand, double jitter, Stream stream, int64_t size,
          std::span<uint8_t> pixels) {
  Character drawn = misplace(character, jitter * hand.unsteadiness, stream);
  for (PenStroke& stroke : drawn) stroke = trace(stroke, hand.haste);

  // The affine part: the hand's own, and how it falls out this time.
  const double turn = hand.turn + jitter * 0.08 * stream.normal();
  const double slant = hand.slant + jitter * 0.07 * stream.normal();
  const double stretch = hand.stretch + jitter * 0.08 * stream.normal();
  const double scale = 0.85 * hand.size * std::exp(jitter * 0.06 * stream.normal());
  const Point x = scale * std::exp(stretch / 2) * Point{std::cos(turn), std::sin(turn)};
  const Point y =
      scale * std::exp(-stretch / 2) *
      Point{-std::sin(turn) - slant * std::cos(turn), std::cos(turn) - slant * std::sin(turn)};
  for (PenStroke& stroke : drawn) {
    for (Point& p : stroke.points) p = p.x * x + p.y * y;
  }

  // Onto the paper: somewhere near its middle, made smaller where it would not fit.
  const double paper = static_cast<double>(size), pen = hand.pen * paper / 28;
  const double room = paper / 2 - pen / 2 - 1;
  const Box box(drawn);
  const double fit = std::min(paper * 0.4, 2 * room / box.extent());
  const auto shift = [&](double extent) {
    const double slack = std::max(0.0, room - fit * extent / 2);
    return std::clamp(jitter * 0.03 * paper * stream.normal(), -slack, slack);
  };
  const double dx = shift(box.high.x - box.low.x), dy = shift(box.high.y - box.low.y);
  const Point middle{paper / 2 + dx, paper / 2 + dy};
  std::fill(pixels.begin(), pixels.end(), uint8_t{255});
  for (const PenStroke& stroke : drawn) {
    for (size_t i = 0; i + 1 < stroke.points.size(); ++i) {
      ink_segment(middle + fit * (stroke.points[i] - box.centre()),
                  middle + fit * (stroke.points[i + 1] - box.centre()), pen, size, pixels);
    }
  }
}

}  // namespace kshot
