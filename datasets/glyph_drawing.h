#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "framework/base/rng.h"

namespace kshot {

/// A point of the page; a character fills about [-1,1] x [-1,1], y pointing down.
struct Point {
  double x = 0, y = 0;
};

/// One movement of the pen through its points, smooth or with corners.
struct PenStroke {
  std::vector<Point> points;
  bool smooth = true;
};

using Character = std::vector<PenStroke>;

/// What the characters of one alphabet share: the strokes it is written with, and how they are put
/// together.
struct AlphabetStyle {
  /// A stroke of the vocabulary, drawn from (0,0) to (1,0) before a character places it.
  struct Motif {
    PenStroke shape;
    double effort = 1;  ///< a straight line is 1
    double weight = 1;  ///< how often characters use it
  };
  std::vector<Motif> vocabulary;
  std::vector<double> columns, rows;  ///< where strokes may begin and end
  double effort = 3;                  ///< of a character, on average
  double upright = 0.5;               ///< chance that a stroke keeps to its row or column
  double connected = 0.5;             ///< chance that a stroke begins on an earlier one
  double mirrored = 0.5;              ///< chance that a motif is drawn mirror-inverted
  double dotted = 0;                  ///< chance that a character carries a dot
  PenStroke stem = {};                ///< a stroke that many characters have in common, and
  double stemmed = 0;                 ///< the chance of it
};

AlphabetStyle invent_alphabet(Stream stream);
Character invent_character(const AlphabetStyle& style, Stream stream);

/// How one person writes, whatever the character.
struct Hand {
  double slant = 0, turn = 0;    ///< shear along x; radians
  double size = 1, stretch = 0;  ///< log of width over height
  double pen = 2;                ///< width of the line, in pixels of a 28 x 28 image
  double unsteadiness = 1;       ///< factor on every error of shape
  double haste = 0;              ///< 0 keeps corners, 1 rounds them off
};

/// `jitter` scales how far drawers and drawings are from the character as it was invented; 0 = all
/// drawings look alike.
Hand invent_hand(double jitter, Stream stream);

/// The character as this hand writes it once, as ink on white paper: [size, size] with 0 = ink,
/// 255 = paper, antialiased, nowhere cut off by the border.
void draw(const Character& character, const Hand& hand, double jitter, Stream stream, int64_t size,
          std::span<uint8_t> pixels);

}  // namespace kshot
