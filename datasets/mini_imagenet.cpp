// mini-ImageNet (Vinyals et al., "Matching networks for one shot learning", NeurIPS 2016): 100
// classes of 600 images of ImageNet, in the division of Ravi and Larochelle ("Optimization as a
// model for few-shot learning", ICLR 2017): 64 classes for training, 16 for validation, 20 for
// test. Neither images nor lists come with kshot. From a folder of images
// (mini_imagenet_files.h says in which places) and the lists train.csv, val.csv and test.csv
// (ravi_lists.h), in that folder or further sources. Images become 84x84, whatever their
// proportions, as in the papers.

#include <algorithm>

#include "datasets/importer.h"
#include "datasets/mini_imagenet_files.h"
#include "datasets/ravi_lists.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kImageSize = 84, kChannels = 3;
constexpr size_t kImages = 600;
constexpr const char* kScheme = "ravi_larochelle";

struct SplitSize {
  const char* split;
  size_t classes;
};
constexpr SplitSize kSplitSizes[] = {{"train", 64}, {"validation", 16}, {"test", 20}};

struct Sources {
  std::vector<fs::path> folders, lists;
};

Sources sort_sources(const std::vector<fs::path>& given) {
  Sources sources;
  for (const fs::path& source : given) {
    if (!fs::is_directory(source)) {
      sources.lists.push_back(source);
      continue;
    }
    sources.folders.push_back(source);
    for (const char* name : {"train.csv", "val.csv", "validation.csv", "test.csv"}) {
      if (fs::exists(source / name)) sources.lists.push_back(source / name);
    }
  }
  if (sources.folders.empty()) {
    throw Error(Exit::bad_spec,
                "mini_imagenet is imported from a folder of images and three lists; no folder "
                "given");
  }
  return sources;
}

/// A class and those of its images that are there.
struct FoundClass {
  std::string name, split;
  std::vector<fs::path> images;
  std::vector<std::string> missing;
};

std::vector<FoundClass> find_images(const Sources& sources) {
  MiniImageNetFiles files(sources.folders);
  std::vector<FoundClass> classes;
  for (const auto& [name, listed] : read_ravi_lists(sources.lists)) {
    FoundClass found{.name = name, .split = listed.split, .images = {}, .missing = {}};
    std::vector<fs::path> paths = files.find(name, listed.files);
    for (size_t i = 0; i < paths.size(); ++i) {
      if (paths[i].empty()) {
        found.missing.push_back(listed.files[i]);
      } else {
        found.images.push_back(std::move(paths[i]));
      }
    }
    classes.push_back(std::move(found));
  }
  return classes;
}

/// In which the lists, and what was found of them, differ from the whole of mini-ImageNet.
std::vector<std::string> differences(const std::vector<FoundClass>& classes) {
  std::vector<std::string> texts;
  for (const SplitSize& part : kSplitSizes) {
    const auto listed = static_cast<size_t>(
        std::count_if(classes.begin(), classes.end(),
                      [&](const FoundClass& found) { return found.split == part.split; }));
    if (listed != part.classes) {
      texts.push_back(
          fmt::format("the {} list has {} classes, expected {}", part.split, listed, part.classes));
    }
  }
  std::vector<const FoundClass*> other_count, with_missing;
  size_t missing = 0, all = 0;
  for (const FoundClass& found : classes) {
    const size_t listed = found.images.size() + found.missing.size();
    all += listed;
    missing += found.missing.size();
    if (listed != kImages) other_count.push_back(&found);
    if (!found.missing.empty()) with_missing.push_back(&found);
  }
  if (!other_count.empty()) {
    const FoundClass& first = *other_count[0];
    texts.push_back(fmt::format("{} of {} classes are listed with other than {} images, {} with {}",
                                other_count.size(), classes.size(), kImages, first.name,
                                first.images.size() + first.missing.size()));
  }
  if (missing > 0) {
    texts.push_back(
        fmt::format("{} of {} listed images, of {} classes, are not in the folder, {} "
                    "the first",
                    missing, all, with_missing.size(), with_missing[0]->missing[0]));
  }
  return texts;
}

void check_content(const std::vector<FoundClass>& classes, const ImportRequest& request,
                   const Sources& sources, std::vector<std::string>& notes) {
  const bool any = std::any_of(classes.begin(), classes.end(),
                               [](const FoundClass& found) { return !found.images.empty(); });
  if (!any) {
    throw Error(Exit::bad_data,
                "{}: holds none of the images that the lists of mini-ImageNet name, expected "
                "n01532829/n0153282900000005.jpg, or images/n0153282900000005.jpg, and so on",
                sources.folders[0].string());
  }
  const std::vector<std::string> texts = differences(classes);
  if (!texts.empty() && !request.allow_incomplete) {
    throw Error(Exit::bad_data,
                "{}: not the whole of mini-ImageNet: {}; --allow-incomplete takes "
                "what is there",
                sources.folders[0].string(), fmt::join(texts, "; "));
  }
  notes.insert(notes.end(), texts.begin(), texts.end());
}

/// Classes without an image are left out.
std::vector<EncodedImage> append_classes(const std::vector<FoundClass>& classes,
                                         Manifest& manifest) {
  SplitScheme& scheme = manifest.splits[kScheme];
  for (const SplitSize& part : kSplitSizes) scheme.members[part.split];
  manifest.default_split = kScheme;
  std::vector<EncodedImage> images;
  for (const FoundClass& found : classes) {
    if (found.images.empty()) continue;
    scheme.members[found.split].push_back(static_cast<int64_t>(manifest.classes.size()));
    manifest.classes.push_back({.name = found.name,
                                .group = "",
                                .first = manifest.samples(),
                                .count = static_cast<int64_t>(found.images.size())});
    for (const fs::path& path : found.images) images.push_back({path.string(), path, {}});
  }
  return images;
}

ImportedData import_mini_imagenet(const ImportRequest& request) {
  const Sources sources = sort_sources(request.sources);
  const std::vector<FoundClass> classes = find_images(sources);
  ImportedData data;
  check_content(classes, request, sources, data.notes);
  Manifest& manifest = data.manifest;
  manifest.name = "mini_imagenet";
  manifest.source =
      "Vinyals et al., NeurIPS 2016, from ImageNet (ILSVRC 2012); division of Ravi and "
      "Larochelle, ICLR 2017";
  manifest.licence = "ImageNet's terms of access: research and education, not commercial";
  ImageSetOptions options = request.image_options();
  if (options.image_size == 0) options.image_size = kImageSize;
  if (options.channels == 0) options.channels = kChannels;
  data.take(decode_images(append_classes(classes, manifest), options));
  return data;
}

const ImporterRegistration kMiniImagenet{
    {.facts = {.name = "mini_imagenet",
               .summary = "100 classes of 600 photographs of ImageNet, 84x84",
               .sources = "a folder of class folders (n01532829/...) or of images/, and the lists "
                          "train.csv, val.csv and test.csv in it or beside",
               .options = {"image-size", "resize", "channels", "keep-original",
                           "allow-incomplete"}},
     .import = import_mini_imagenet}};

}  // namespace
}  // namespace kshot
