// Omniglot (Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through probabilistic
// program induction", Science 350, 2015): 1,623 characters of 50 alphabets, each drawn once by 20
// people. From the two official zips, images_background.zip and images_evaluation.zip. Their
// content is checked, not their hashes: zips made again from the same images serve as well.

#include <algorithm>
#include <regex>

#include "datasets/archive.h"
#include "datasets/embedded_splits.h"
#include "datasets/importer.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr int64_t kDrawings = 20, kSize = 105;

struct ZipContents {
  const char* folder;
  size_t characters, alphabets;
};
constexpr ZipContents kBackground{"images_background", 964, 30};
constexpr ZipContents kEvaluation{"images_evaluation", 659, 20};

/// The characters of one zip: "Greek/character03" -> "0394_01.png" -> bytes.
using Characters = std::map<std::string, std::map<std::string, std::string>>;

/// Other files that packing tools add.
bool is_clutter(const std::string& path) {
  return path.starts_with("__MACOSX/") || !path.ends_with(".png");
}

/// Adds the drawings of one zip to the part they belong to.
void read_zip(const std::filesystem::path& zip, Characters& background, Characters& evaluation) {
  static const std::regex pattern(
      R"((images_background|images_evaluation)/([^/]+/character\d\d)/(\d{4}_\d\d\.png))");
  size_t found = 0;
  read_archive(zip, [&](ArchiveEntry entry) {
    if (is_clutter(entry.path)) return;
    std::smatch match;
    if (!std::regex_match(entry.path, match, pattern)) {
      throw Error(
          Exit::bad_data,
          "{}: entry \"{}\", expected names like images_background/Greek/character03/0394_01.png",
          zip.string(), entry.path);
    }
    Characters& part = match[1] == kBackground.folder ? background : evaluation;
    if (!part[match[2]].emplace(match[3], std::move(entry.bytes)).second) {
      throw Error(Exit::bad_data, "{}: \"{}\" is there twice", zip.string(), entry.path);
    }
    ++found;
  });
  if (found == 0) throw Error(Exit::bad_data, "{}: holds no image of Omniglot", zip.string());
}

std::string alphabet_of(const std::string& character) {
  return character.substr(0, character.find('/'));
}

/// 20 drawings with one number, by drawers 01 to 20. (Two may be equal: Braille's dots were
/// clicked.)
void check_character(const std::string& name, const std::map<std::string, std::string>& drawings) {
  if (drawings.size() != kDrawings) {
    throw Error(Exit::bad_data, "Omniglot: {} has {} drawings, expected {}", name, drawings.size(),
                kDrawings);
  }
  int drawer = 0;
  for (const auto& [file, bytes] : drawings) {
    const std::string expected =
        fmt::format("{}_{:02}.png", drawings.begin()->first.substr(0, 4), ++drawer);
    if (file != expected)
      throw Error(Exit::bad_data, "Omniglot: {} has {}, expected {}", name, file, expected);
  }
}

void check_part(const ZipContents& part, const Characters& characters) {
  if (characters.empty())
    throw Error(Exit::bad_data, "Omniglot: {}.zip is not among the sources", part.folder);
  std::set<std::string> alphabets;
  for (const auto& [name, drawings] : characters) {
    alphabets.insert(alphabet_of(name));
    check_character(name, drawings);
  }
  if (characters.size() != part.characters || alphabets.size() != part.alphabets) {
    throw Error(Exit::bad_data, "Omniglot: {} has {} characters of {} alphabets, expected {} of {}",
                part.folder, characters.size(), alphabets.size(), part.characters, part.alphabets);
  }
}

void check_drawing(const EncodedImage& source, const Tensor& image) {
  const bool right_size = image.sizes() == c10::IntArrayRef({1, kSize, kSize});
  if (!right_size || !((image == 0) | (image == 255)).all().item<bool>()) {
    throw Error(Exit::bad_data, "Omniglot: {} is {}x{}x{}{}, expected a one-bit image of {}x{}",
                source.name, image.size(0), image.size(1), image.size(2),
                right_size ? " with shades of gray" : "", kSize, kSize);
  }
}

void append_classes(Characters& characters, Manifest& manifest, std::vector<EncodedImage>& images) {
  for (auto& [name, drawings] : characters) {
    manifest.classes.push_back({.name = name,
                                .group = alphabet_of(name),
                                .first = manifest.samples(),
                                .count = kDrawings});
    for (auto& [file, bytes] : drawings)
      images.push_back({fmt::format("{}/{}", name, file), {}, std::move(bytes)});
  }
}

/// The split of Vinyals et al. 2016, a list of names in datasets/splits/omniglot_vinyals.json.
SplitScheme vinyals_split(const Manifest& manifest) {
  std::map<std::string, int64_t> numbers;
  for (size_t c = 0; c < manifest.classes.size(); ++c)
    numbers[manifest.classes[c].name] = static_cast<int64_t>(c);
  SplitScheme scheme;
  for (const EmbeddedFile& file : embedded_splits()) {
    if (!file.path.ends_with("omniglot_vinyals.json")) continue;
    const Json json =
        Json::parse(file.text);  // named: a temporary would not outlive the loop's head
    for (const auto& [split, names] : json.at("splits").items()) {
      for (const Json& name : names) {
        const auto found = numbers.find(name.get<std::string>());
        if (found == numbers.end()) {
          throw Error(Exit::bad_data, "Omniglot: the zips lack {}, a {} class of Vinyals et al.",
                      name.get<std::string>(), split);
        }
        scheme.members[split].push_back(found->second);
      }
    }
  }
  return scheme;
}

/// Lake's own division. It has no validation set: every sixth background alphabet, in alphabetical
/// order, becomes one (5 of 30), and the other 25 are for training.
SplitScheme background_split(const Manifest& manifest) {
  SplitScheme scheme;
  std::string alphabet;
  int alphabets = 0;
  for (size_t c = 0; c < manifest.classes.size(); ++c) {
    if (std::exchange(alphabet, manifest.classes[c].group) != alphabet) ++alphabets;
    const char* split =
        c >= kBackground.characters ? "test" : (alphabets % 6 == 0 ? "validation" : "train");
    scheme.members[split].push_back(static_cast<int64_t>(c));
  }
  return scheme;
}

ImportedData import_omniglot(const ImportRequest& request) {
  if (request.sources.size() != 2) {
    throw Error(Exit::bad_spec,
                "omniglot is imported from 2 files, images_background.zip and "
                "images_evaluation.zip; {} given",
                request.sources.size());
  }
  if (!request.splits_file.empty()) {
    throw Error(Exit::bad_spec,
                "--splits: omniglot brings its own splits, vinyals and background_evaluation");
  }
  Characters background, evaluation;
  for (const std::filesystem::path& zip : request.sources) read_zip(zip, background, evaluation);
  check_part(kBackground, background);
  check_part(kEvaluation, evaluation);

  ImportedData data;
  Manifest& manifest = data.manifest;
  manifest.name = "omniglot";
  manifest.source =
      "Lake, Salakhutdinov and Tenenbaum, Science 350, 2015; "
      "https://github.com/brendenlake/omniglot";
  manifest.licence = "MIT";
  std::vector<EncodedImage> images;
  append_classes(background, manifest, images);
  append_classes(evaluation, manifest, images);
  manifest.splits["vinyals"] = vinyals_split(manifest);
  manifest.splits["background_evaluation"] = background_split(manifest);
  manifest.default_split = "vinyals";
  ImageSetOptions options = request.image_options();
  options.check = check_drawing;
  data.take(decode_images(std::move(images), options));
  return data;
}

const ImporterRegistration kOmniglot{
    {.facts = {.name = "omniglot",
               .summary = "1,623 handwritten characters of 50 alphabets, 20 drawings each",
               .sources = "images_background.zip and images_evaluation.zip, in either order"},
     .import = import_omniglot}};

}  // namespace
}  // namespace kshot
