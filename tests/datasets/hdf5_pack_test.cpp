#include "datasets/hdf5_pack.h"

#include <cstdlib>

#include "datasets/hdf5_writer.h"
#include "datasets/image_codec.h"
#include "datasets/pack_header.h"
#include "framework/base/atomic_file.h"
#include "framework/base/sha256.h"
#include "tests/base/caught.h"
#include "tests/base/full_disk.h"
#include "tests/base/temporary_folder.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::hdf5_pack_test {

using namespace kshot::test;

namespace {

/// The user's cache folder, for as long as this lives.
class CacheFolder {
 public:
  CacheFolder() { ::setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1); }
  ~CacheFolder() { ::unsetenv("XDG_CACHE_HOME"); }
  std::string memory() const {
    const auto file = folder_ / "kshot/verified";
    return std::filesystem::exists(file) ? read_file(file) : "";
  }

 private:
  TemporaryFolder folder_;
};

/// Two classes of images of different sizes, as files.
OriginalImages toy_originals() {
  std::string bytes;
  Tensor offsets = torch::zeros({4}, torch::kLong);
  for (int64_t i = 0; i < 3; ++i) {
    bytes += encode_png(gray_image(6 + i, 9 - i, i));
    offsets[i + 1] = static_cast<int64_t>(bytes.size());
  }
  Tensor copy = torch::empty({static_cast<int64_t>(bytes.size())}, torch::kByte);
  std::copy(bytes.begin(), bytes.end(), copy.data_ptr<uint8_t>());
  return {.bytes = copy, .offsets = offsets, .resampling = Resampling::bicubic};
}

Manifest originals_manifest() {
  Manifest manifest;
  manifest.name = "originals";
  manifest.shape = {3, 5, 4};
  manifest.classes = {{"a", "", 0, 1}, {"b", "", 1, 2}};
  return manifest;
}

/// Rewrites the header so that hash and length fit whatever stands behind it.
void reseal(const std::filesystem::path& path) {
  std::string bytes = read_file(path);
  const std::string rest = bytes.substr(PackHeader::kBytes);
  write_bytes(path, encode_header({.length = rest.size(), .sha256 = sha256_hex(rest)}) + rest);
}

std::string refusal(const std::filesystem::path& path) {
  const auto error = caught([&] { open_pack(path); });
  if (!error) return "";
  CHECK(error->code() == Exit::bad_data);
  CHECK(std::string(error->what()).starts_with(path.string()));
  CHECK(std::string(error->what()).find('\n') == std::string::npos);
  return error->what();
}

}  // namespace

TEST_CASE("a pack gives back manifest and samples bit by bit, for every type and shape") {
  const TemporaryFolder folder;
  const CacheFolder cache;
  for (const torch::Dtype dtype : {torch::kByte, torch::kFloat, torch::kDouble}) {
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{1, 4, 4}, {3, 84, 84}, {2}, {1, 1, 1, 7}}) {
      Manifest manifest = toy_manifest();
      manifest.dtype = dtype, manifest.shape = shape;
      std::vector<int64_t> whole = {8};
      whole.insert(whole.end(), shape.begin(), shape.end());
      const Tensor samples = (torch::rand(whole, torch::kDouble) * 256).to(dtype);
      const Manifest written = write_pack(folder / "x.h5", manifest, samples);
      const DatasetPtr pack = open_pack(folder / "x.h5");
      CHECK(manifest_to_json(pack->manifest()) == manifest_to_json(written));
      CHECK(pack->manifest().sha256 == content_sha256(manifest, {&samples, 1}));
      manifest.sha256 = written.sha256;
      CHECK(manifest_to_json(written) == manifest_to_json(manifest));
      CHECK(pack->load(all_rows(manifest)).equal(samples));
      CHECK(pack->load(std::vector<int64_t>{5, 2})
                .equal(samples.index_select(0, torch::tensor({5, 2}))));
    }
  }
  CHECK(folder.names() == std::set<std::string>{"x.h5"});
}

TEST_CASE("the same content gives the same bytes, whenever and wherever it is written") {
  const TemporaryFolder folder;
  const CacheFolder cache;
  write_pack(folder / "one.h5", toy_manifest(), toy_samples());
  Manifest renamed = toy_manifest();
  renamed.sha256 = "is computed anew";
  ::sleep(1);  // HDF5's time stamps have seconds
  write_pack(folder / "two.h5", renamed, toy_samples());
  CHECK(read_file(folder / "one.h5") == read_file(folder / "two.h5"));
}

TEST_CASE(
    "the content's hash changes with a pixel, a class name or a split, not with licence or "
    "source") {
  const Manifest manifest = toy_manifest();
  const Tensor samples = toy_samples();
  const std::string hash = content_sha256(manifest, {&samples, 1});
  Manifest other = manifest;
  other.licence = "another", other.source = "elsewhere";
  CHECK(content_sha256(other, {&samples, 1}) == hash);
  other.classes[0].name += "x";
  CHECK(content_sha256(other, {&samples, 1}) != hash);
  other = manifest;
  other.splits.clear();
  CHECK(content_sha256(other, {&samples, 1}) != hash);
  Tensor pixels = samples.clone();
  pixels.view(-1)[0] = pixels.view(-1)[0] + 1;
  CHECK(content_sha256(manifest, {&pixels, 1}) != hash);
}

TEST_CASE("a pack outlives the file's name: samples stay mapped") {
  const TemporaryFolder folder;
  write_pack(folder / "x.h5", toy_manifest(), toy_samples());
  const DatasetPtr pack = open_pack(folder / "x.h5");
  std::filesystem::remove(folder / "x.h5");
  CHECK(pack->load(all_rows(pack->manifest())).equal(toy_samples()));
}

TEST_CASE("one flipped byte anywhere in a pack is found, in one line") {
  const TemporaryFolder folder;
  const CacheFolder cache;
  const auto path = folder / "x.h5";
  write_pack(path, toy_manifest(), toy_samples());
  const std::string whole = read_file(path);
  CHECK(refusal(path).empty());
  for (size_t at = 0; at < whole.size(); at += at < 1024 ? 1 : 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    write_bytes(path, damaged);
    CAPTURE(at);
    CHECK(!refusal(path).empty());
  }
}

TEST_CASE("another magic, another version, a truncated or longer file: each says so") {
  const TemporaryFolder folder;
  const CacheFolder cache;
  const auto path = folder / "x.h5";
  write_pack(path, toy_manifest(), toy_samples());
  const std::string whole = read_file(path);
  const auto refusal_of = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    return refusal(path);
  };
  CHECK(refusal_of("").find("not a kshot data pack") != std::string::npos);
  CHECK(refusal_of("PK\3\4" + whole.substr(4)).find("not a kshot data pack") != std::string::npos);
  CHECK(refusal_of(whole.substr(512)).find("not a kshot data pack") != std::string::npos);
  std::string later = whole;
  later[8] = 2;
  CHECK(refusal_of(later).find("pack format 2, this program reads format 1") != std::string::npos);
  for (const size_t length :
       {size_t{100}, size_t{511}, size_t{512}, size_t{600}, whole.size() - 1}) {
    CHECK(refusal_of(whole.substr(0, length)).find("truncated") != std::string::npos);
  }
  CHECK(refusal_of(whole + "x").find("damaged") != std::string::npos);
}

TEST_CASE("a sealed pack whose parts contradict each other is refused") {
  const TemporaryFolder folder;
  const CacheFolder cache;
  const auto path = folder / "x.h5";
  const auto refusal_of = [&](const std::string& manifest, const Tensor& labels,
                              const Tensor& samples) {
    {
      AtomicFile file(path);
      Hdf5Writer writer(file, PackHeader::kBytes);
      writer.write_text("manifest", manifest);
      writer.write("labels", labels);
      if (samples.defined()) writer.write("samples", samples);
      writer.finish();
      file.commit();
    }
    reseal(path);
    return refusal(path);
  };
  Manifest hashed = toy_manifest();
  hashed.sha256 = std::string(64, '1');
  const std::string manifest = manifest_to_json(hashed).dump();
  const Tensor labels = torch::tensor({0, 0, 0, 0, 1, 2, 2, 2});
  CHECK(refusal_of(manifest, labels, toy_samples()).empty());
  CHECK(refusal_of(manifest_to_json(toy_manifest()).dump(), labels, toy_samples())
            .find("import the pack again") != std::string::npos);
  CHECK(refusal_of("{", labels, toy_samples()).find("JSON") != std::string::npos);
  CHECK(refusal_of("{}", labels, toy_samples()).find("schema") != std::string::npos);
  CHECK(refusal_of(manifest, labels.flip(0), toy_samples()).find("labels") != std::string::npos);
  CHECK(refusal_of(manifest, labels.to(torch::kByte), toy_samples()).find("labels") !=
        std::string::npos);
  CHECK(refusal_of(manifest, labels, toy_samples().narrow(0, 0, 7)).find("shape") !=
        std::string::npos);
  CHECK(refusal_of(manifest, labels, toy_samples().to(torch::kFloat)).find("type") !=
        std::string::npos);
  CHECK(refusal_of(manifest, labels, {}).find("samples is missing") != std::string::npos);
  std::string bytes(512, '\0');
  bytes += "no HDF5 at all";
  write_bytes(path, bytes);
  reseal(path);
  CHECK(refusal(path).find("HDF5") != std::string::npos);
}

TEST_CASE("a pack is hashed once, then remembered until it changes; verify always hashes") {
  const TemporaryFolder folder;
  const CacheFolder cache;
  const auto path = folder / "x.h5";
  write_pack(path, toy_manifest(), toy_samples());
  open_pack(path);
  CHECK(cache.memory().empty());  // too young: the next change might bear the same time
  const auto old = std::filesystem::last_write_time(path) - std::chrono::hours(1);
  std::filesystem::last_write_time(path, old);
  open_pack(path);
  CHECK(cache.memory().find(sha256_file(path, 512)) != std::string::npos);

  // Damage the samples, and set the clock back: only a hash can tell.
  std::string damaged = read_file(path);
  damaged[damaged.size() - 1] = static_cast<char>(damaged.back() ^ 1);
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary)
      .write(damaged.data(), static_cast<std::streamsize>(damaged.size()));
  std::filesystem::last_write_time(path, old);
  CHECK(refusal(path).empty());
  CHECK(caught([&] { verify_pack(path); }));
  std::filesystem::last_write_time(path, old + std::chrono::nanoseconds(1));
  CHECK(!refusal(path).empty());
}

TEST_CASE("verify finds a manifest that bears another data set's hash") {
  const TemporaryFolder folder;
  const CacheFolder cache;
  const auto path = folder / "x.h5";
  const std::string right = write_pack(path, toy_manifest(), toy_samples()).sha256;
  std::string bytes = read_file(path);
  const size_t at = bytes.find(right, PackHeader::kBytes);
  REQUIRE(at != std::string::npos);
  bytes.replace(at, 64, std::string(64, '0'));
  write_bytes(path, bytes);
  reseal(path);
  CHECK(refusal(path).empty());
  CHECK(message_of([&] { verify_pack(path); }).find("content's sha256") != std::string::npos);
}

TEST_CASE("where nothing can be remembered, packs open all the same") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "");
  ::setenv("XDG_CACHE_HOME", (folder / "file").c_str(), 1);
  write_pack(folder / "x.h5", toy_manifest(), toy_samples());
  std::filesystem::last_write_time(
      folder / "x.h5", std::filesystem::last_write_time(folder / "x.h5") - std::chrono::hours(1));
  CHECK(open_pack(folder / "x.h5")->manifest().name == "toy");
  ::unsetenv("XDG_CACHE_HOME");
}

TEST_CASE("kept originals are decoded and resized on load as an import would have done") {
  const TemporaryFolder folder;
  const CacheFolder cache;
  const Manifest written = write_pack(folder / "x.h5", originals_manifest(), toy_originals());
  const DatasetPtr pack = open_pack(folder / "x.h5");
  const Tensor images = pack->load(std::vector<int64_t>{2, 0});
  CHECK(images.sizes() == c10::IntArrayRef({2, 3, 5, 4}));
  CHECK(images[0].equal(to_channels(resize(gray_image(8, 7, 2), 5, 4, Resampling::bicubic), 3)));
  CHECK(images[1].equal(to_channels(resize(gray_image(6, 9, 0), 5, 4, Resampling::bicubic), 3)));
  const PackInfo info = verify_pack(folder / "x.h5");
  CHECK(info.originals);
  CHECK(info.bytes == std::filesystem::file_size(folder / "x.h5"));
  CHECK(info.manifest.sha256 == written.sha256);
}

TEST_CASE("verify finds an original that cannot be decoded, and open offsets that do not fit") {
  const TemporaryFolder folder;
  const CacheFolder cache;
  OriginalImages originals = toy_originals();
  originals.bytes[30] = originals.bytes[30].item<int>() ^ 1;
  write_pack(folder / "x.h5", originals_manifest(), originals);
  CHECK(refusal(folder / "x.h5").empty());
  CHECK(message_of([&] { verify_pack(folder / "x.h5"); }).find("image 0") != std::string::npos);
  originals.offsets[1] = originals.bytes.size(0) + 1;
  CHECK(caught([&] { write_pack(folder / "x.h5", originals_manifest(), originals); }));
}

TEST_CASE("a full disk is an error of the disk, and leaves nothing behind") {
  const TemporaryFolder folder;
  Manifest manifest = toy_manifest();
  manifest.shape = {1, 200, 200};
  const Tensor samples = torch::zeros({8, 1, 200, 200}, torch::kByte);
  for (const rlim_t bytes :
       {rlim_t{0}, rlim_t{100}, rlim_t{700}, rlim_t{3000}, rlim_t{100000}, rlim_t{322000}}) {
    std::optional<Error> error;
    {
      const FullDisk full(bytes);
      error = caught([&] { write_pack(folder / "x.h5", manifest, samples); });
    }
    CAPTURE(bytes);
    REQUIRE(error);
    CHECK(error->code() == Exit::io);
    CHECK(folder.names().empty());
  }
  write_pack(folder / "x.h5", manifest, samples);  // HDF5 has survived
  CHECK(open_pack(folder / "x.h5")->load(all_rows(manifest)).equal(samples));
}

TEST_CASE("a pack that cannot be created or read is an error of the disk") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "x");
  for (const auto& path : {folder / "file/x.h5", folder / "none/x.h5"}) {
    for (const auto& error : {caught([&] { write_pack(path, toy_manifest(), toy_samples()); }),
                              caught([&] { open_pack(path); })}) {
      REQUIRE(error);
      CHECK(error->code() == Exit::io);
    }
  }
  CHECK(caught([&] { open_pack(folder.path()); })->code() == Exit::io);
}

}  // namespace kshot::hdf5_pack_test
