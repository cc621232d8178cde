#include "datasets/image_set.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>

#include "datasets/image_codec.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

struct Decoded {
  int64_t channels = 0, height = 0, width = 0;  // as stored
  Tensor image = {};       // of the size asked for; undefined where the original is kept
  std::string bytes = {};  // the original, where it is kept
};

Decoded decode(EncodedImage& source, const ImageSetOptions& options) {
  if (!source.file.empty()) source.bytes = read_file(source.file);
  Tensor image = decode_image(source.bytes, source.name);
  if (options.check) options.check(source, image);
  Decoded decoded{.channels = image.size(0), .height = image.size(1), .width = image.size(2)};
  if (options.keep_original) {
    decoded.bytes = std::move(source.bytes);
    return decoded;
  }
  std::string().swap(source.bytes);
  if (options.channels != 0) image = to_channels(image, options.channels);
  if (options.image_size != 0)
    image = resize(image, options.image_size, options.image_size, options.resampling);
  decoded.image = std::move(image);
  return decoded;
}

/// Images are handed out in order, so that every one before a faulty one gets its turn: the error
/// thrown is that of the first faulty image, whatever the number of threads.
class Workshop {
 public:
  Workshop(std::vector<EncodedImage>& images, const ImageSetOptions& options)
      : images_(images), options_(options), results_(images.size()), failed_at_(images.size()) {}

  std::vector<Decoded> run() {
    std::vector<std::thread> helpers;
    for (int i = 1; i < options_.threads; ++i) helpers.emplace_back([this] { work(false); });
    work(true);
    for (std::thread& helper : helpers) helper.join();
    if (failure_) std::rethrow_exception(failure_);
    // The last images may have been a helper's.
    if (options_.progress && reported_ < images_.size()) report(images_.size());
    return std::move(results_);
  }

 private:
  void work(bool reports) {
    if (!reports) at::set_num_threads(1);  // a fresh thread would use every core by itself
    for (size_t i = next_++; i < images_.size(); i = next_++) {
      try {
        results_[i] = decode(images_[i], options_);
      } catch (...) {
        keep_failure(i);
      }
      if (reports && options_.progress) report(i + 1);
    }
  }

  void keep_failure(size_t i) {
    const std::scoped_lock lock(mutex_);
    next_ = images_.size();
    if (i >= failed_at_) return;
    failed_at_ = i;
    failure_ = std::current_exception();
  }

  void report(size_t done) {
    if (done < reported_ + 256 && done < images_.size()) return;
    reported_ = done;
    options_.progress(static_cast<int64_t>(done), static_cast<int64_t>(images_.size()));
  }

  std::vector<EncodedImage>& images_;
  const ImageSetOptions& options_;
  std::vector<Decoded> results_;
  std::atomic<size_t> next_{0};
  size_t reported_ = 0;
  std::mutex mutex_;
  size_t failed_at_;
  std::exception_ptr failure_;
};

bool same_size(const Decoded& a, const Decoded& b) {
  return a.height == b.height && a.width == b.width;
}

/// The first image of another size than the first one, or the end.
size_t first_other_size(const std::vector<Decoded>& decoded) {
  const auto other = std::find_if(decoded.begin(), decoded.end(),
                                  [&](const Decoded& d) { return !same_size(d, decoded.front()); });
  return static_cast<size_t>(other - decoded.begin());
}

Tensor stack(std::vector<Decoded>& decoded, const std::vector<int64_t>& shape) {
  Tensor samples = torch::empty(
      {static_cast<int64_t>(decoded.size()), shape[0], shape[1], shape[2]}, torch::kByte);
  auto* to = samples.data_ptr<uint8_t>();
  for (Decoded& item : decoded) {
    const Tensor image = to_channels(item.image, shape[0]);
    std::memcpy(to, image.const_data_ptr(), image.nbytes());
    to += image.nbytes();
    item.image = Tensor();
  }
  return samples;
}

OriginalImages join_originals(std::vector<Decoded>& decoded, Resampling resampling) {
  Tensor offsets = torch::zeros({static_cast<int64_t>(decoded.size()) + 1}, torch::kLong);
  auto at = offsets.accessor<int64_t, 1>();
  for (size_t i = 0; i < decoded.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    at[row + 1] = at[row] + static_cast<int64_t>(decoded[i].bytes.size());
  }
  Tensor bytes = torch::empty({at[static_cast<int64_t>(decoded.size())]}, torch::kByte);
  auto* to = bytes.data_ptr<uint8_t>();
  for (Decoded& item : decoded) {
    to = std::copy(item.bytes.begin(), item.bytes.end(), to);
    std::string().swap(item.bytes);
  }
  return {.bytes = bytes, .offsets = offsets, .resampling = resampling};
}

}  // namespace

ImageSet decode_images(std::vector<EncodedImage> images, const ImageSetOptions& options) {
  if (images.empty()) throw Error(Exit::bad_data, "there is no image");
  std::vector<Decoded> decoded = Workshop(images, options).run();
  const Decoded& first = decoded.front();
  const size_t other = first_other_size(decoded);
  if (options.image_size == 0 && other < decoded.size()) {
    throw Error(Exit::bad_data,
                "{} is {}x{} and {} is {}x{} (height x width): images of different sizes need "
                "--image-size N",
                images[0].name, first.height, first.width, images[other].name,
                decoded[other].height, decoded[other].width);
  }
  const bool all_gray =
      std::all_of(decoded.begin(), decoded.end(), [](const Decoded& d) { return d.channels == 1; });
  ImageSet set;
  set.shape = {options.channels != 0 ? options.channels : (all_gray ? 1 : 3),
               options.image_size != 0 ? options.image_size : first.height,
               options.image_size != 0 ? options.image_size : first.width};
  const std::string from =
      other < decoded.size() ? "various sizes" : fmt::format("{}x{}", first.height, first.width);
  set.resize = options.image_size == 0
                   ? "none"
                   : describe_resize(options.resampling, from, set.shape[1], set.shape[2]);
  if (options.keep_original) {
    set.originals = join_originals(decoded, options.resampling);
  } else {
    set.samples = stack(decoded, set.shape);
  }
  return set;
}

Tensor load_image(const std::filesystem::path& path, const Manifest& manifest) {
  const std::vector<int64_t>& shape = manifest.shape;
  if (shape.size() != 3 || manifest.dtype != torch::kByte || (shape[0] != 1 && shape[0] != 3)) {
    throw Error(Exit::bad_data,
                "data set \"{}\" does not consist of images; {} cannot be compared with it",
                manifest.name, path.string());
  }
  const std::string method = manifest.resize.substr(0, manifest.resize.find(' '));
  const bool resized = method == "nearest" || method == "bicubic" || method == "lanczos";
  const Tensor image = to_channels(decode_image(read_file(path), path.string()), shape[0]);
  return resize(image, shape[1], shape[2],
                resized ? parse_resampling(method) : Resampling::bilinear);
}

}  // namespace kshot
