// kshot data: makes, shows and checks data packs.
#include "datasets/export.h"
#include "datasets/importer.h"
#include "experiments/commands.h"
#include "experiments/data_report.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

/// One of the things that `kshot data` does.
struct Action {
  std::string name, usage;
  size_t fewest, most;               ///< words after the action's name
  std::vector<std::string> options;  ///< those it reads
  int (*run)(const Arguments&, const Words&);
};

std::string text_of(const Arguments& arguments, const char* name) {
  return arguments.count(name) > 0 ? arguments[name].as<std::string>() : "";
}

int64_t number_of(const Arguments& arguments, const char* name) {
  if (arguments.count(name) == 0) return 0;
  const auto value = arguments[name].as<int64_t>();
  if (value < 1) throw Error(Exit::bad_spec, "--{} is {}, expected at least 1", name, value);
  return value;
}

int64_t channels_of(const Arguments& arguments) {
  const std::string channels = text_of(arguments, "channels");
  if (channels.empty()) return 0;
  if (channels != "gray" && channels != "rgb") {
    throw Error(Exit::bad_spec, "--channels is \"{}\", expected gray or rgb", channels);
  }
  return channels == "gray" ? 1 : 3;
}

void print_pack(const Arguments& arguments, const fs::path& path, const PackInfo& info) {
  if (flag(arguments, "json")) {
    fmt::print("{}\n", pack_json(path, info).dump(1));
  } else {
    fmt::print("{}", pack_report(path, info));
  }
}

/// A bar that is made once the total is known.
ImportProgress progress_into(std::optional<Progress>& bar, const std::string& what,
                             const Arguments& arguments) {
  return [&bar, what, quiet = flag(arguments, "quiet")](int64_t done, int64_t total) {
    if (!bar) bar.emplace(what, total, quiet);
    bar->update(done);
  };
}

int import(const Arguments& arguments, const Words& words) {
  const fs::path out = text_of(arguments, "out");
  if (out.empty()) throw Error(Exit::bad_spec, "data import: --out PACK.h5 is missing");
  ImportRequest request;
  request.sources.assign(words.begin() + 1, words.end());
  request.image_size = number_of(arguments, "image-size");
  if (arguments.count("resize") > 0)
    request.resize = parse_resampling(text_of(arguments, "resize"));
  request.splits_file = text_of(arguments, "splits");
  request.keep_original = flag(arguments, "keep-original");
  request.channels = channels_of(arguments);
  request.label_column = text_of(arguments, "label-column");
  request.allow_incomplete = flag(arguments, "allow-incomplete");
  request.threads = threads_of(arguments);
  std::optional<Progress> progress;
  request.progress = progress_into(progress, "import", arguments);
  const ImportResult result = import_dataset(words[0], request, out);
  progress.reset();
  for (const std::string& note : result.notes) fmt::print(stderr, "note: {}\n", note);
  print_pack(arguments, out, read_pack_info(out));
  return 0;
}

int info(const Arguments& arguments, const Words& words) {
  print_pack(arguments, words[0], read_pack_info(words[0]));
  return 0;
}

int verify(const Arguments& arguments, const Words& words) {
  const PackInfo info = verify_pack(words[0]);
  if (flag(arguments, "json")) {
    fmt::print(
        "{}\n",
        Json{{"path", words[0]}, {"sha256", info.manifest.sha256}, {"intact", true}}.dump(1));
  } else {
    fmt::print("{}: intact, {} samples, sha256 {}\n", words[0], info.manifest.samples(),
               info.manifest.sha256);
  }
  return 0;
}

/// A pack, or a data set that needs no file, by its name.
DatasetPtr open_source(const std::string& source) {
  const auto& datasets = Registry<DatasetPlugin>::instance();
  const std::vector<std::string> names = datasets.names();
  if (source == "pack" || std::find(names.begin(), names.end(), source) == names.end())
    return open_pack(source);
  return datasets.find(source).make({{"name", source}});
}

int export_pictures(const Arguments& arguments, const Words& words) {
  ExportOptions options;
  options.splits = text_of(arguments, "splits");
  if (arguments.count("classes") > 0) options.classes = number_of(arguments, "classes");
  if (arguments.count("per-class") > 0) options.images = number_of(arguments, "per-class");
  std::optional<Progress> progress;
  options.progress = progress_into(progress, "export", arguments);
  const int64_t written = export_png(*open_source(words[0]), words[1], options);
  progress.reset();
  fmt::print("{}: {} pictures\n", words[1], written);
  return 0;
}

const std::vector<Action>& actions() {
  static const std::vector<Action> all{
      {"import",
       "data import FORMAT SOURCE... --out PACK.h5 [options]",
       2,
       1000,
       {"out", "image-size", "resize", "splits", "keep-original", "channels", "label-column",
        "allow-incomplete", "threads", "quiet", "json"},
       import},
      {"info", "data info PACK.h5 [--json]", 1, 1, {"json"}, info},
      {"verify", "data verify PACK.h5 [--json]", 1, 1, {"json"}, verify},
      {"export",
       "data export PACK.h5|synthetic_glyphs DIR [options]",
       2,
       2,
       {"splits", "classes", "per-class", "quiet"},
       export_pictures}};
  return all;
}

const Action& find_action(const std::string& name) {
  Words names;
  for (const Action& action : actions()) {
    if (action.name == name) return action;
    names.push_back(action.name);
  }
  throw Error(Exit::bad_spec, "data: unknown \"{}\"{}; expected {}", name,
              did_you_mean(name, names), fmt::join(names, ", "));
}

int run_data(const Arguments& arguments) {
  const Action& action = find_action(required(arguments, "action", data_command().usage));
  const Words words = arguments.count("words") > 0 ? arguments["words"].as<Words>() : Words{};
  if (words.size() < action.fewest || words.size() > action.most) {
    throw Error(Exit::bad_spec, "data {}: {} words given: usage: kshot {}", action.name,
                words.size(), action.usage);
  }
  for (const auto& [name, value] : arguments) {
    const bool own =
        name == "action" || name == "words" ||
        std::find(action.options.begin(), action.options.end(), name) != action.options.end();
    if (!own && !value.defaulted())
      throw Error(Exit::bad_spec, "data {} has no option --{}; usage: kshot {}", action.name, name,
                  action.usage);
  }
  return action.run(arguments, words);
}

std::string import_formats() {
  std::string text;
  const auto& importers = Registry<Importer>::instance();
  for (const std::string& name : importers.names()) {
    const ImporterFacts& facts = importers.find(name).facts;
    text += fmt::format("{}  {:<13} {}; SOURCE: {}", text.empty() ? "" : "\n", name, facts.summary,
                        facts.sources);
  }
  return text;
}

}  // namespace

Command data_command() {
  Command command;
  command.name = "data";
  command.summary = "make data packs from images, show and check them, write pictures out";
  command.usage = "data import|info|verify|export ...";
  command.details =
      "  kshot data import FORMAT SOURCE... --out PACK.h5   make a pack of images or vectors\n"
      "  kshot data info PACK.h5                            what a pack holds\n"
      "  kshot data verify PACK.h5                          whether every byte is as it was "
      "written\n"
      "  kshot data export PACK.h5|synthetic_glyphs DIR     PNG files: DIR/SPLIT/CLASS/NN.png\n\n"
      "Formats:\n" +
      import_formats();
  command.positional = {"action", "words..."};
  command.options.add_options()("out", po::value<std::string>()->value_name("PACK"),
                                "import: the pack to write")(
      "image-size", po::value<int64_t>()->value_name("N"),
      "import: width and height; by default as stored")(
      "resize", po::value<std::string>()->value_name("HOW"),
      "import: nearest, bilinear (default), bicubic or lanczos")(
      "splits", po::value<std::string>()->value_name("FILE|NAME"),
      "import: a CSV or JSON file that divides classes or images; export: the division that makes "
      "the folders "
      "train, validation and test")(
      "keep-original", "import: keep the image files themselves, decoded and resized on load")(
      "channels", po::value<std::string>()->value_name("gray|rgb"),
      "import: by default gray if every image is")(
      "label-column", po::value<std::string>()->value_name("COLUMN"),
      "import vectors: the column of a CSV file that holds the labels, by name or number from 1; "
      "by default the last")(
      "allow-incomplete",
      "import mini_imagenet: take what is there where classes or images are missing")(
      "threads", po::value<int>()->value_name("N"),
      "import: threads that decode; never changes a byte")("quiet", "no progress on stderr")(
      "classes", po::value<int64_t>()->value_name("N"), "export: at most N classes of each split")(
      "per-class", po::value<int64_t>()->value_name("N"), "export: at most N images of each class");
  add_json_option(command.options);
  command.run = run_data;
  return command;
}

}  // namespace kshot
