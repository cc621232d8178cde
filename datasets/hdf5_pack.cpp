#include "datasets/hdf5_pack.h"

#include <algorithm>
#include <functional>

#include "datasets/hdf5_reader.h"
#include "datasets/hdf5_writer.h"
#include "datasets/mapped_file.h"
#include "datasets/pack_header.h"
#include "datasets/verified_packs.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/sha256.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

Tensor make_labels(const Manifest& manifest) {
  Tensor labels = torch::empty({manifest.samples()}, torch::kLong);
  for (size_t c = 0; c < manifest.classes.size(); ++c) {
    const ClassInfo& info = manifest.classes[c];
    labels.narrow(0, info.first, info.count).fill_(static_cast<int64_t>(c));
  }
  return labels;
}

/// Everything but the samples, which `write_samples` adds.
void write(const std::filesystem::path& path, const Manifest& manifest,
           const std::function<void(Hdf5Writer&)>& write_samples) {
  const Json json = manifest_to_json(manifest);
  manifest_from_json(json, path.string());  // what is written can be read again
  AtomicFile file(path);
  {
    Hdf5Writer writer(file, PackHeader::kBytes);
    writer.write_text("manifest", json.dump());
    writer.write("labels", make_labels(manifest));
    write_samples(writer);
    writer.finish();
  }
  const std::filesystem::path& written = file.temporary_path();
  const PackHeader header{.length = std::filesystem::file_size(written) - PackHeader::kBytes,
                          .sha256 = sha256_file(written, PackHeader::kBytes)};
  const std::string block = encode_header(header);
  file.write_at(0, block.data(), block.size());
  file.commit();
}

enum class Check { once, always };

/// Compares the hash of the file with the header's, before HDF5 parses anything.
void check_hash(const std::filesystem::path& path, Check check) {
  const PackHeader header = read_pack_header(path);
  if (check == Check::once && is_verified(path, header.sha256)) return;
  const std::string found = sha256_file(path, PackHeader::kBytes);
  if (found != header.sha256) {
    throw Error(Exit::bad_data, "{}: damaged: its sha256 is {}, its header says {}", path.string(),
                found, header.sha256);
  }
  remember_verified(path, header.sha256);
}

Manifest read_manifest(const Hdf5Reader& reader, const std::string& path) {
  const Json json = parse_strict(reader.read_text("manifest")).value;
  if (json.is_discarded()) throw Error(Exit::bad_data, "{}: the manifest is not JSON", path);
  Manifest manifest = manifest_from_json(json, path);
  if (manifest.sha256.size() != 64) {
    throw Error(Exit::bad_data,
                "{}: the manifest has no sha256 of the content, which names the data in records: "
                "import the pack again",
                path);
  }
  const Tensor labels = reader.read("labels");
  if (labels.scalar_type() != torch::kLong || !labels.equal(make_labels(manifest))) {
    throw Error(Exit::bad_data, "{}: the labels do not agree with the manifest's classes", path);
  }
  return manifest;
}

/// What the content's hash is made of. The same originals resized in another way are other data:
/// manifest.shape and the name of the resampling tell.
std::vector<Tensor> content_of(const OriginalImages& originals) {
  const std::string name = resampling_name(originals.resampling);
  Tensor bytes = torch::empty({static_cast<int64_t>(name.size())}, torch::kByte);
  std::copy(name.begin(), name.end(), bytes.data_ptr<uint8_t>());
  return {originals.bytes, originals.offsets, bytes};
}

/// The manifest's hash names the data set in records: `always` looks whether it is the content's.
void check_content(const Manifest& manifest, std::span<const Tensor> content, Check check,
                   const std::filesystem::path& path) {
  if (check == Check::once || content_sha256(manifest, content) == manifest.sha256) return;
  throw Error(Exit::bad_data, "{}: the content's sha256 is not the one that the manifest gives",
              path.string());
}

DatasetPtr map_samples(Manifest manifest, const Hdf5Reader& reader,
                       const std::filesystem::path& path, Check check) {
  const Hdf5Reader::Extent extent = reader.extent("samples");
  std::vector<int64_t> expected = {manifest.samples()};
  expected.insert(expected.end(), manifest.shape.begin(), manifest.shape.end());
  if (extent.shape != expected || extent.dtype != manifest.dtype) {
    throw Error(Exit::bad_data, "{}: the samples are not of the manifest's shape or type",
                path.string());
  }
  const MappedFile file(path);
  const Tensor samples = file.tensor(extent.offset, extent.shape, extent.dtype);
  check_content(manifest, {&samples, 1}, check, path);
  const auto dataset = std::make_shared<TensorDataset>(std::move(manifest), samples);
  dataset->reads_from(file);
  return dataset;
}

DatasetPtr map_originals(Manifest manifest, const Hdf5Reader& reader,
                         const std::filesystem::path& path, Check check) {
  const std::vector<int64_t>& shape = manifest.shape;
  if (shape.size() != 3 || (shape[0] != 1 && shape[0] != 3) || shape[1] > (1 << 16) ||
      shape[2] > (1 << 16) || manifest.dtype != torch::kByte) {
    throw Error(Exit::bad_data, "{}: the manifest describes no images, but there are originals",
                path.string());
  }
  OriginalImages originals;
  const Hdf5Reader::Extent extent = reader.extent("originals/bytes");
  const MappedFile file(path);
  originals.bytes = file.tensor(extent.offset, extent.shape, extent.dtype);
  originals.offsets = reader.read("originals/offsets");
  try {
    originals.resampling = parse_resampling(reader.read_text("originals/resampling"));
  } catch (const Error& error) {
    throw Error(Exit::bad_data, "{}: originals: {}", path.string(), error.what());
  }
  check_originals(originals, manifest.samples(), path.string());
  check_content(manifest, content_of(originals), check, path);
  const auto dataset =
      std::make_shared<OriginalsDataset>(std::move(manifest), std::move(originals));
  dataset->reads_from(file);
  return dataset;
}

DatasetPtr open(const std::filesystem::path& path, Check check) {
  check_hash(path, check);
  const Hdf5Reader reader(path);
  Manifest manifest = read_manifest(reader, path.string());
  return reader.has("originals") ? map_originals(std::move(manifest), reader, path, check)
                                 : map_samples(std::move(manifest), reader, path, check);
}

PackInfo info_of(const Dataset& dataset, const std::filesystem::path& path) {
  return {.manifest = dataset.manifest(),
          .bytes = std::filesystem::file_size(path),
          .version = PackHeader::kVersion,
          .originals = dynamic_cast<const OriginalsDataset*>(&dataset) != nullptr};
}

}  // namespace

Manifest write_pack(const std::filesystem::path& path, Manifest manifest, const Tensor& samples) {
  const TensorDataset checked(manifest, samples);  // shape and dtype
  manifest.sha256 = content_sha256(manifest, {&samples, 1});
  write(path, manifest, [&](Hdf5Writer& writer) { writer.write("samples", samples); });
  return manifest;
}

Manifest write_pack(const std::filesystem::path& path, Manifest manifest,
                    const OriginalImages& originals) {
  check_originals(originals, manifest.samples(), path.string());
  manifest.sha256 = content_sha256(manifest, content_of(originals));
  write(path, manifest, [&](Hdf5Writer& writer) {
    writer.make_group("originals");
    writer.write("originals/bytes", originals.bytes);
    writer.write("originals/offsets", originals.offsets);
    writer.write_text("originals/resampling", resampling_name(originals.resampling));
  });
  return manifest;
}

DatasetPtr open_pack(const std::filesystem::path& path) { return open(path, Check::once); }

PackInfo read_pack_info(const std::filesystem::path& path) {
  return info_of(*open(path, Check::once), path);
}

PackInfo verify_pack(const std::filesystem::path& path) {
  const DatasetPtr dataset = open(path, Check::always);
  if (dynamic_cast<const OriginalsDataset*>(dataset.get()) != nullptr) {
    for (int64_t row = 0; row < dataset->manifest().samples(); ++row) dataset->load({&row, 1});
  }
  return info_of(*dataset, path);
}

}  // namespace kshot
