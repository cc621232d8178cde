// A folder of pictures as a data set: a sub-folder for each class, of PNG and JPEG files.
//   TOP/<class>/*.png                 or, with groups,  TOP/<group>/<class>/*.png
//   TOP/{train,val,test}/<class>/...  the sub-folders divide: the classes where no class lies in
//   two of
//                                     them, and otherwise the images of each class
// or --splits FILE divides (split_rule.h). With neither, both default rules are stored: "random"
// divides the classes (from 10 on, and is then the default), "images" each class's images.

#include "datasets/folder_listing.h"
#include "datasets/importer.h"
#include "datasets/split_rule.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

std::string folder_name(const std::filesystem::path& folder) {
  const std::filesystem::path whole = std::filesystem::weakly_canonical(folder);
  return whole.filename().empty() ? "images" : whole.filename().string();
}

/// The splits that the folders train, val and test make.
SplitScheme folder_scheme(const FolderListing& listing) {
  SplitScheme classes, images{.kind = SplitScheme::Kind::images, .members = {}};
  bool shared = false;
  int64_t row = 0;
  for (size_t c = 0; c < listing.classes.size(); ++c) {
    const std::vector<FolderImage>& members = listing.classes[c].images;
    shared = shared || members.front().split != members.back().split;
    classes.members[members.front().split].push_back(static_cast<int64_t>(c));
    for (const FolderImage& image : members) images.members[image.split].push_back(row++);
  }
  return shared ? images : classes;
}

/// Where images are divided, a class that is tested must have been trained.
void check_trained(const FolderListing& listing, const std::filesystem::path& top) {
  for (const FolderClass& found : listing.classes) {
    if (found.images.front().split == "train") continue;
    throw Error(Exit::bad_data,
                "{}: class \"{}\" lies in {} but not in train, while other classes lie in "
                "several; either all or none of them must",
                top.string(), found.name, found.images.front().split);
  }
}

void add_splits(const ImportRequest& request, const FolderListing& listing,
                const std::vector<std::string>& files, ImportedData& data) {
  Manifest& manifest = data.manifest;
  if (!request.splits_file.empty()) {
    if (const auto note = add_split_file(request.splits_file, files, manifest))
      data.notes.push_back(*note);
  } else if (listing.split_folders) {
    manifest.splits["folders"] = folder_scheme(listing);
    manifest.default_split = "folders";
    if (manifest.splits["folders"].kind == SplitScheme::Kind::images)
      check_trained(listing, request.sources[0]);
  } else {
    add_default_splits(manifest);
  }
}

ImportedData import_folder(const ImportRequest& request) {
  if (request.sources.size() != 1) {
    throw Error(Exit::bad_spec, "folder is imported from 1 folder; {} given",
                request.sources.size());
  }
  const std::filesystem::path& top = request.sources.front();
  const FolderListing listing = list_folder(top);
  ImportedData data;
  data.manifest.name = folder_name(top);
  data.manifest.source = "a folder of images";
  std::vector<EncodedImage> images;
  std::vector<std::string> files;
  for (const FolderClass& found : listing.classes) {
    data.manifest.classes.push_back({.name = found.name,
                                     .group = found.group,
                                     .first = data.manifest.samples(),
                                     .count = static_cast<int64_t>(found.images.size())});
    for (const FolderImage& image : found.images) {
      images.push_back({image.file.string(), image.file, {}});
      files.push_back(image.relative);
    }
  }
  if (listing.ignored > 0) {
    data.notes.push_back(fmt::format("{} files that are no images were left out", listing.ignored));
  }
  add_splits(request, listing, files, data);
  data.take(decode_images(std::move(images), request.image_options()));
  return data;
}

const ImporterRegistration kImageFolder{
    {.facts = {.name = "folder",
               .summary = "own pictures, PNG or JPEG: a sub-folder for each class",
               .sources = "the folder"},
     .import = import_folder}};

}  // namespace
}  // namespace kshot
