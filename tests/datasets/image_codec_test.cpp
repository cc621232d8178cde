#include "datasets/image_codec.h"

#include "framework/base/sha256.h"
#include "tests/base/caught.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::image_codec_test {

using namespace kshot::test;

namespace {

// 10 x 9 pixels, quality 60, written by Pillow 11.3; and 4 x 4 pixels in CMYK.
const char* const kColourJpeg =
    "/9j/4AAQSkZJRgABAQAAAQABAAD/"
    "2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    "UlNSMj5aYVpQYEpRUk//"
    "2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P"
    "T09PT09PT0//wAARCAAJAAoDASIAAhEBAxEB/8QAFwAAAwEAAAAAAAAAAAAAAAAAAAEEBv/"
    "EACUQAAEEAQEIAwAAAAAAAAAAAAEC"
    "AwQRACEFFDE0QWFydZGxwv/EABQBAQAAAAAAAAAAAAAAAAAAAAT/xAAdEQABBAIDAAAAAAAAAAAAAAABAAIDBBIhBRFR/"
    "9oADAMB"
    "AAIRAxEAPwCeKxEjx2S3H3uQ8aQhJpOlWSqu4wCngKK4ZI41FWR8jQ4tm9fXn95qmOXb8B9YLkbTo5N7Sq7DI3LIgeA9L/"
    "/Z";
const char* const kGrayJpeg =
    "/9j/4AAQSkZJRgABAQAAAQABAAD/"
    "2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    "UlNSMj5aYVpQYEpRUk//wAALCAAJAAoBAREA/8QAFwAAAwEAAAAAAAAAAAAAAAAAAAEEBv/"
    "EACUQAAEEAQEIAwAAAAAAAAAAAAEC"
    "AwQRACEFFDE0QWFydZGxwv/"
    "aAAgBAQAAPwCeKxEjx2S3H3uQ8aQhJpOlWSqu4wCngKK4ZI41FWR8jQ4tm9fXn95qmOXb8B9Z/9k=";
const char* const kCmykJpeg =
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwBQNzxGPDJQRkFGWlVQX3jIgnhubnj1r7mRyP////////////////////////////"
    "//////"
    "/////////////////8AAFAgABAAEBEMRAE0RAFkRAEsRAP/EABcAAAMBAAAAAAAAAAAAAAAAAAECAwT/"
    "xAAaEAEAAgMBAAAAAAAA"
    "AAAAAAABAAIDERJh/9oADgRDAE0AWQBLAAA/AGx17oO08HUAGiTyWembZ//Z";

std::string base64(std::string_view text) {
  static const std::string digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t value = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    value = value << 6 | static_cast<uint32_t>(digits.find(c));
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(value >> (bits -= 8));
  }
  return bytes;
}

std::string pixels_sha256(const Tensor& image) {
  return sha256_hex({static_cast<const char*>(image.const_data_ptr()), image.nbytes()});
}

Tensor pixels(const std::vector<int64_t>& values, c10::IntArrayRef shape) {
  return torch::tensor(values).to(torch::kByte).view(shape);
}

std::string refusal(const std::string& bytes) {
  const auto error = caught([&] { decode_image(bytes, "evil.png"); });
  if (!error) return "";
  CHECK(error->code() == Exit::bad_data);
  CHECK(std::string(error->what()).starts_with("evil.png: "));
  CHECK(std::string(error->what()).find('\n') == std::string::npos);
  return error->what();
}

bool says(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("PNG: what is written reads back, gray, RGB and one-bit") {
  const Tensor gray = gray_image(5, 7);
  const Tensor colour = torch::cat({gray, 255 - gray, gray_image(5, 7, 3)});
  const Tensor binary = (gray > 100).to(torch::kByte) * 255;
  for (const Tensor& image : {gray, colour, binary}) {
    CHECK(decode_image(encode_png(image), "x").equal(image));
    CHECK(encode_png(image) == encode_png(image.clone()));
  }
  CHECK(static_cast<int>(encode_png(binary)[24]) == 1);  // bit depth
  CHECK(static_cast<int>(encode_png(gray)[24]) == 8);
  CHECK(decode_image(encode_png(binary.transpose(1, 2)), "x").equal(binary.transpose(1, 2)));
}

TEST_CASE("PNG: 1, 2, 4 and 16 bits, palettes") {
  // 1 bit: 0b101 -> 255 0 255
  CHECK(decode_image(
            make_png({.width = 3, .height = 1, .bit_depth = 1, .scanlines = {"\0\xa0", 2}}), "x")
            .equal(pixels({255, 0, 255}, {1, 1, 3})));
  // 2 bits: 0 1 2 3 -> 0 85 170 255
  CHECK(decode_image(
            make_png({.width = 4, .height = 1, .bit_depth = 2, .scanlines = {"\0\x1b", 2}}), "x")
            .equal(pixels({0, 85, 170, 255}, {1, 1, 4})));
  // 16 bits: the upper 8
  CHECK(decode_image(
            make_png(
                {.width = 2, .height = 1, .bit_depth = 16, .scanlines = {"\0\x12\xff\xfe\x00", 5}}),
            "x")
            .equal(pixels({0x12, 0xfe}, {1, 1, 2})));
  const std::string palette("\x01\x02\x03\x0a\x0b\x0c", 6);
  CHECK(decode_image(make_png({.width = 2,
                               .height = 1,
                               .colour_type = 3,
                               .palette = palette,
                               .scanlines = {"\0\1\0", 3}}),
                     "x")
            .equal(pixels({10, 1, 11, 2, 12, 3}, {3, 1, 2})));
}

TEST_CASE("PNG: transparency is laid over white paper") {
  // gray + alpha: black at 0, at 51 of 255, at 255
  CHECK(
      decode_image(
          make_png(
              {.width = 3, .height = 1, .colour_type = 4, .scanlines = {"\0\0\0\0\x33\0\xff", 7}}),
          "x")
          .equal(pixels({255, 204, 0}, {1, 1, 3})));
  // a palette whose entry 0 is transparent
  const std::string palette("\x01\x02\x03\x0a\x0b\x0c", 6);
  CHECK(decode_image(make_png({.width = 2,
                               .height = 1,
                               .colour_type = 3,
                               .palette = palette,
                               .transparency = std::string(1, '\0'),
                               .scanlines = {"\0\1\0", 3}}),
                     "x")
            .equal(pixels({10, 255, 11, 255, 12, 255}, {3, 1, 2})));
}

TEST_CASE("PNG: a header that lies about the size is refused, its checksum being right") {
  const std::string four_pixels("\0\x01\x02\0\x03\x04", 6);
  CHECK(refusal(make_png({.width = 2, .height = 2, .scanlines = four_pixels})).empty());
  for (const auto& [width, height] : {std::pair<uint32_t, uint32_t>{2, 3},
                                      {3, 2},
                                      {2, 1},
                                      {1, 2},
                                      {200, 20},
                                      {0, 2},
                                      {2, 0},
                                      {0x80000000, 1}}) {
    CAPTURE(width);
    CAPTURE(height);
    CHECK(!refusal(make_png({.width = width, .height = height, .scanlines = four_pixels})).empty());
  }
}

TEST_CASE("PNG and JPEG of a bomb's dimensions are refused before memory is taken") {
  const std::string line("\0\x01", 2);
  CHECK(says(refusal(make_png({.width = 100000, .height = 100000, .scanlines = line})),
             "100000 x 100000"));
  CHECK(says(refusal(make_png({.width = 1000000, .height = 67, .scanlines = line})),
             "bytes can hold"));
  CHECK(says(
      refusal(make_png(
          {.width = 8000, .height = 8000, .bit_depth = 16, .colour_type = 6, .scanlines = line})),
      "bytes can hold"));
  std::string jpeg = base64(kColourJpeg);
  const size_t frame = jpeg.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  jpeg.replace(frame + 5, 4, "\xea\x60\xea\x60");
  CHECK(says(refusal(jpeg), "60000 x 60000"));
}

TEST_CASE("PNG: a text chunk that would unpack to a gigabyte is passed over") {
  CHECK(refusal(make_png({.scanlines = {"\0\x05", 2},
                          .after_header = png_chunk("zTXt", {"a\0\0\x78\x9c", 5})}))
            .empty());
}

TEST_CASE("every truncation of an image is refused, and no flipped byte crashes") {
  const std::string png = encode_png(gray_image(6, 5));
  const std::string jpeg = base64(kColourJpeg);
  for (const std::string& whole : {png, jpeg}) {
    for (size_t length = 0; length + 2 < whole.size(); ++length) {
      CAPTURE(length);
      CHECK(!refusal(whole.substr(0, length)).empty());
    }
    for (size_t at = 0; at < whole.size(); ++at) {
      for (const char flip : {'\x01', '\x80', '\xff'}) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ flip);
        refusal(damaged);  // decoded or refused
      }
    }
  }
}

TEST_CASE("JPEG decodes to the very pixels that Pillow gives") {
  const Tensor colour = decode_image(base64(kColourJpeg), "x");
  CHECK(colour.sizes() == c10::IntArrayRef({3, 9, 10}));
  CHECK(pixels_sha256(colour) ==
        "ff4f94319227a637947030b6f9c8ad61a6cda823931dab29c822bfef7bcad1ff");
  const Tensor gray = decode_image(base64(kGrayJpeg), "x");
  CHECK(gray.sizes() == c10::IntArrayRef({1, 9, 10}));
  CHECK(pixels_sha256(gray) == "cd0b303d0b98616c4d4925c38b82355e13c3b1c8f35c0d7523d60b8e1536b185");
}

TEST_CASE("what is no PNG or JPEG, or a CMYK JPEG, is refused by name") {
  CHECK(says(refusal(""), "empty"));
  CHECK(says(refusal("GIF89a..."), "neither PNG nor JPEG"));
  CHECK(says(refusal(base64(kCmykJpeg)), "CMYK"));
}

TEST_CASE("gray to RGB repeats, RGB to gray weighs as Pillow does") {
  const Tensor gray = gray_image(3, 4);
  CHECK(to_channels(gray, 3).equal(torch::cat({gray, gray, gray})));
  CHECK(to_channels(to_channels(gray, 3), 1).equal(gray));
  // (19595 r + 38470 g + 7471 b + 32768) >> 16
  CHECK(to_channels(pixels({255, 0, 0, 200, 0, 255, 0, 100, 0, 0, 255, 50}, {3, 1, 4}), 1)
            .equal(pixels({76, 150, 29, 124}, {1, 1, 4})));
}

}  // namespace kshot::image_codec_test
