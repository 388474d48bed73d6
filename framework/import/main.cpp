// attune-import: what `attune import` runs. A program of its own, since nothing else needs ITK.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "import/import.h"
#include "import/tables.h"

namespace attune {
namespace {

constexpr const char* kHelp =
    R"(usage: attune import SOURCE -o FILE.h5 [--kind KIND] [options]

Makes a dataset file of a folder of images, or of a table of token sequences,
pairs of them or vectors. Groups (patients, papers) are never split between
training and test. Prints counts by label, group and size, and examples that
several groups share.

  -o, --out FILE.h5      the dataset file, replaced if one is there
      --kind images      (default) SOURCE is a folder of DICOM, NIfTI, MetaImage,
                         NRRD, PNG and JPEG, told by content; each slice of a
                         volume is an image
      --kind tokens      SOURCE is a CSV whose column tokens holds words or ids
                         separated by spaces, with columns label, group and split
                         if any; or a text (no .csv), whose characters are tokens
      --kind pairs       SOURCE is a CSV whose columns input and answer hold words
                         separated by spaces, with columns group and split if any
      --kind vectors     SOURCE is a CSV with a column label, group and split if
                         any; all other columns of numbers are features
      --columns LIST     other names of columns, as in label=class,group=patient
  -q, --quiet            prints nothing but errors
      --json             prints the counts and lists, or the error, as one JSON
                         object

of images only:
      --labels CSV       a row a file: file (relative to SOURCE), label, group;
                         without it the folders in SOURCE name the classes
      --window LO,HI     clips values of all formats but PNG and JPEG, and
                         scales them to 0 .. 1
      --skip-unlabelled  leaves out images without a row, rows without an image

exit codes: 0 all done; 1 storage failed; 2 bad command line or data: nothing
            written

examples:
  attune import scans -o data/scans.h5 --labels scans/labels.csv
  attune import ct -o data/ct.h5 --labels ct.csv --window -1000,400
  attune import photos -o data/photos.h5    # photos/CLASS/...
  attune import reviews.csv -o data/reviews.h5 --kind tokens --columns tokens=text
  attune import book.txt -o data/book.h5 --kind tokens
  attune import spoken.csv -o data/spoken.h5 --kind pairs --columns input=word
  attune import iris.csv -o data/iris.h5 --kind vectors --columns label=species
)";

enum class Kind { images, tokens, pairs, vectors };

struct CommandLine {
  Kind kind = Kind::images;
  ImportOptions import;
  bool quiet = false, json = false;
};

std::pair<double, double> parse_window(const std::string& text) {
  double low = 0, high = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, low);
  const bool comma = first.ec == std::errc() && first.ptr != end && *first.ptr == ',';
  const auto second = comma ? std::from_chars(first.ptr + 1, end, high) : first;
  ATTUNE_CHECK(comma && second.ec == std::errc() && second.ptr == end && low < high, ConfigError,
               "--window {}: two numbers are needed, the lower one first, such as -1000,400", text);
  return {low, high};
}

Kind parse_kind(const std::string& text) {
  if (text == "images") return Kind::images;
  if (text == "tokens") return Kind::tokens;
  if (text == "pairs") return Kind::pairs;
  ATTUNE_CHECK(text == "vectors", ConfigError,
               "--kind {}: there are images, tokens, pairs and vectors", text);
  return Kind::vectors;
}

LabelColumns parse_columns(const std::string& text, Kind kind) {
  LabelColumns columns;
  std::vector<std::pair<std::string, std::string*>> known;
  if (kind == Kind::images) known = {{"file", &columns.file}};
  if (kind == Kind::tokens) known = {{"tokens", &columns.tokens}};
  if (kind == Kind::pairs) known = {{"input", &columns.input}, {"answer", &columns.answer}};
  if (kind != Kind::pairs) known.emplace_back("label", &columns.label);
  known.emplace_back("group", &columns.group);
  if (kind != Kind::images) known.emplace_back("split", &columns.split);
  std::vector<std::string> forms;
  for (const auto& [key, column] : known) forms.push_back(key + "=NAME");
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    const std::size_t equals = item.find('=');
    const auto found = std::find_if(known.begin(), known.end(), [&](const auto& each) {
      return each.first == item.substr(0, equals);
    });
    ATTUNE_CHECK(found != known.end() && equals != std::string::npos && equals + 1 < item.size(),
                 ConfigError, "--columns {}: '{}' is none of {}", text, item, join(forms));
    *found->second = item.substr(equals + 1);
  }
  return columns;
}

// What the command line lacks, and what does not go together.
void check(const CommandLine& command) {
  const ImportOptions& options = command.import;
  const bool images = command.kind == Kind::images;
  ATTUNE_CHECK(!options.source.empty(), ConfigError, "SOURCE is missing, {}; see --help",
               images ? "a folder of images" : "a file");
  ATTUNE_CHECK(!options.output.empty(), ConfigError, "-o FILE.h5 is missing; see --help");
  ATTUNE_CHECK(images || (options.labels.empty() && !options.window && !options.skip_unlabelled),
               ConfigError,
               "--labels, --window and --skip-unlabelled are of --kind images: labels of "
               "tables are a column of SOURCE (--columns label=NAME)");
  ATTUNE_CHECK(!images || !options.labels.empty() || !options.skip_unlabelled, ConfigError,
               "--skip-unlabelled needs --labels CSV: without it folders name the classes");
}

CommandLine parse(const std::vector<std::string>& words) {
  CommandLine command;
  ImportOptions& options = command.import;
  std::set<std::string> given;
  std::string columns;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string name = words[i];
    std::optional<std::string> attached;
    if (const auto equals = name.find('='); name.starts_with("--") && equals != std::string::npos) {
      attached = name.substr(equals + 1);
      name.resize(equals);
    }
    // A window may begin with a minus; what else does is the next option.
    const auto value = [&](bool number = false) {
      const std::string option = name == "-o" ? "--out" : name;
      ATTUNE_CHECK(given.insert(option).second, ConfigError, "{} is given twice", option);
      if (attached) return *attached;
      const bool there = i + 1 < words.size() && (number || !words[i + 1].starts_with('-'));
      ATTUNE_CHECK(there, ConfigError, "{} needs a value{}; see --help", name,
                   i + 1 < words.size() ? fmt::format(", and {} is an option", words[i + 1]) : "");
      return words[++i];
    };
    const auto flag = [&] {
      ATTUNE_CHECK(!attached, ConfigError, "{} takes no value; see --help", name);
    };
    if (name == "-o" || name == "--out") {
      options.output = value();
    } else if (name == "--labels") {
      options.labels = value();
    } else if (name == "--columns") {
      columns = value();
    } else if (name == "--window") {
      options.window = parse_window(value(true));
    } else if (name == "--skip-unlabelled") {
      flag();
      options.skip_unlabelled = true;
    } else if (name == "-q" || name == "--quiet") {
      flag();
      command.quiet = true;
    } else if (name == "--json") {
      flag();
      command.json = true;
    } else if (name == "--kind") {
      command.kind = parse_kind(value());
    } else {
      ATTUNE_CHECK(!name.starts_with("-") || name == "-", ConfigError,
                   "unknown option '{}'; see --help", name);
      ATTUNE_CHECK(options.source.empty(), ConfigError,
                   "two sources, '{}' and '{}': import takes one", options.source, name);
      options.source = name;
    }
  }
  check(command);
  options.columns = parse_columns(columns, command.kind);
  return command;
}

// As all verbs report one: a sentence, or under --json an object.
int report(const std::string& text, ExitCode code, bool json) {
  const int exit = static_cast<int>(code);
  const Json object =
      Json().set("exit", exit).set("errors", Json::List{Json().set("message", text)});
  std::cerr << (json ? object.dump() : "error: " + text) << "\n";
  return exit;
}

// Lost output is an error, but for a reader that has left.
void print(const std::string& text) {
  errno = 0;
  const bool whole =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  ATTUNE_CHECK(whole || errno == EPIPE, StorageError,
               "the output could not be written: {}. Make room, or write it to another place",
               std::strerror(errno));
}

void say(const CommandLine& command, const Json& json, const std::string& text) {
  if (command.json) {
    print(json.dump() + "\n");
  } else if (!command.quiet) {
    print(text);
  }
}

int run(const std::vector<std::string>& words) {
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  try {
    for (const std::string& word : words)
      if (word == "--help" || word == "-h") {
        print(kHelp);
        return 0;
      }
    const CommandLine command = parse(words);
    if (command.kind == Kind::images) {
      const ImportReport report = import_images(command.import);
      say(command, report_json(report), report_text(report));
      return 0;
    }
    const TableOptions table{command.import.source, command.import.output, command.import.columns};
    const TableReport report = command.kind == Kind::tokens  ? import_tokens(table)
                               : command.kind == Kind::pairs ? import_pairs(table)
                                                             : import_vectors(table);
    say(command, table_report_json(report), table_report_text(report));
    return 0;
  } catch (const Error& error) {
    return report(error.what(), error.code(), json);
  } catch (const std::filesystem::filesystem_error& error) {
    return report(error.what(), ExitCode::usage, json);
  } catch (const std::exception& error) {
    return report(error.what(), ExitCode::failure, json);
  }
}

}  // namespace
}  // namespace attune

int main(int argc, char** argv) {
  attune::prepare_process();
  return attune::run({argv + 1, argv + argc});
}
