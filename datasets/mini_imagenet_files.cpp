#include "datasets/mini_imagenet_files.h"

#include <charconv>
#include <optional>

#include "datasets/folder_listing.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

std::string stem_of(const std::string& name) { return fs::path(name).stem().string(); }

/// The number behind a prefix that the text begins with: 5 for "n0153282900000005" behind
/// "n01532829".
std::optional<size_t> number_behind(const std::string& prefix, const std::string& text) {
  size_t number = 0;
  if (!text.starts_with(prefix)) return std::nullopt;
  const char *start = text.data() + prefix.size(), *end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(start, end, number);
  if (stop != end || start == end || problem != std::errc()) return std::nullopt;
  return number;
}

/// The images of ImageNet's own class folder by their numbers, which have gaps; the lists count
/// them without. So read by Chen et al. 2019 (CloserLookFewShot) and the mini-imagenet-tools of
/// Liu.
std::vector<fs::path> by_rank(const std::map<std::string, fs::path>& images,
                              const std::string& wordnet_id) {
  std::map<size_t, fs::path> numbered;
  for (const auto& [stem, path] : images) {
    if (const auto number = number_behind(wordnet_id + "_", stem)) numbered[*number] = path;
  }
  std::vector<fs::path> ranked;
  for (const auto& [number, path] : numbered) ranked.push_back(path);
  return ranked;
}

/// Fills in from ImageNet's own class folder. All or nothing: in a folder with fewer images than
/// the lists count the ranks would mean others.
void take_by_rank(const std::vector<fs::path>& ranked, const std::string& wordnet_id,
                  const std::vector<std::string>& names, std::vector<fs::path>& found) {
  std::vector<fs::path> taken;
  for (const std::string& name : names) {
    const auto rank = number_behind(wordnet_id, stem_of(name));
    if (!rank || *rank < 1 || *rank > ranked.size()) return;
    taken.push_back(ranked[*rank - 1]);
  }
  found = taken;
}

}  // namespace

MiniImageNetFiles::MiniImageNetFiles(std::vector<fs::path> folders)
    : folders_(std::move(folders)) {}

const MiniImageNetFiles::Paths& MiniImageNetFiles::images_in(const fs::path& folder) {
  const auto [entry, is_new] = read_.try_emplace(folder);
  std::error_code ignored;
  if (is_new && fs::is_directory(folder, ignored)) {
    for (const auto& [name, path] : folder_entries(folder)) {
      if (is_image_file(path)) entry->second.emplace(stem_of(name), path);
    }
  }
  return entry->second;
}

std::vector<fs::path> MiniImageNetFiles::find(const std::string& wordnet_id,
                                              const std::vector<std::string>& names) {
  std::vector<fs::path> found(names.size());
  size_t missing = names.size();
  const auto take_by_name = [&](const Paths& images) {
    for (size_t i = 0; i < names.size(); ++i) {
      const auto image = images.find(stem_of(names[i]));
      if (!found[i].empty() || image == images.end()) continue;
      found[i] = image->second;
      --missing;
    }
  };
  for (const fs::path& folder : folders_) {
    for (const fs::path& place :
         {folder / wordnet_id, folder / "images" / wordnet_id, folder / "images", folder}) {
      if (missing > 0) take_by_name(images_in(place));
    }
  }
  for (const fs::path& folder : folders_) {
    for (const fs::path& place : {folder / wordnet_id, folder / "images" / wordnet_id}) {
      if (missing == names.size() && found[0].empty())
        take_by_rank(by_rank(images_in(place), wordnet_id), wordnet_id, names, found);
    }
  }
  return found;
}

}  // namespace kshot
