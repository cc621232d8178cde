#include "datasets/importer.h"

#include <algorithm>

#include "datasets/hdf5_pack.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr int64_t kMaxImageSize = 4096;

void check(const ImportRequest& request) {
  if (request.image_size < 0 || request.image_size > kMaxImageSize) {
    throw Error(Exit::bad_spec, "--image-size is {}; it can be 1 to {}", request.image_size,
                kMaxImageSize);
  }
  if (request.channels != 0 && request.channels != 1 && request.channels != 3) {
    throw Error(Exit::bad_spec, "images of {} channels cannot be made; 1 is gray, 3 is RGB",
                request.channels);
  }
  if (request.threads < 1)
    throw Error(Exit::bad_spec, "--threads is {}; at least 1 is needed", request.threads);
  for (const std::filesystem::path& source : request.sources) {
    if (!std::filesystem::exists(source))
      throw Error(Exit::io, "{}: does not exist", source.string());
  }
}

/// An option that the importer would pass over in silence.
void check_options(const ImporterFacts& facts, const ImportRequest& request) {
  const std::pair<const char*, bool> given[] = {{"image-size", request.image_size != 0},
                                                {"resize", request.resize.has_value()},
                                                {"channels", request.channels != 0},
                                                {"keep-original", request.keep_original},
                                                {"splits", !request.splits_file.empty()},
                                                {"label-column", !request.label_column.empty()},
                                                {"allow-incomplete", request.allow_incomplete}};
  for (const auto& [option, is_given] : given) {
    const bool known =
        std::find(facts.options.begin(), facts.options.end(), option) != facts.options.end();
    if (is_given && !known) {
      throw Error(Exit::bad_spec, "importing {} takes no --{}, but --{}", facts.name, option,
                  fmt::join(facts.options, ", --"));
    }
  }
}

}  // namespace

ImageSetOptions ImportRequest::image_options() const {
  return {.image_size = image_size,
          .resampling = resize.value_or(Resampling::bilinear),
          .channels = channels,
          .keep_original = keep_original,
          .threads = threads,
          .progress = progress};
}

void ImportedData::take(ImageSet images) {
  manifest.shape = std::move(images.shape);
  manifest.resize = std::move(images.resize);
  samples = std::move(images.samples);
  originals = std::move(images.originals);
}

ImportResult import_dataset(const std::string& importer, const ImportRequest& request,
                            const std::filesystem::path& pack) {
  const Importer& found = Registry<Importer>::instance().find(importer);
  check(request);
  check_options(found.facts, request);
  if (pack.has_parent_path()) make_folder(pack.parent_path());
  {
    const AtomicFile probe(pack);
  }  // a minute's work should not end in "permission denied"
  ImportedData data = found.import(request);
  Manifest manifest = data.originals ? write_pack(pack, data.manifest, *data.originals)
                                     : write_pack(pack, data.manifest, data.samples);
  return {.manifest = std::move(manifest), .notes = std::move(data.notes)};
}

}  // namespace kshot
