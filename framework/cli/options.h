#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace attune {

// One list describes the command line: parsing, --help, its JSON and the suggestions read it.

struct Option {
  std::string name;                       // without dashes
  std::string letter;                     // "o" for -o; may be empty
  std::string argument;                   // "DIR"; empty for a switch
  std::string doc;                        // what it does, one line
  std::vector<std::string> choices = {};  // of the argument, where it has some
  // What is wrong with an argument, a phrase that follows "--name VALUE "; empty when nothing is.
  std::string (*check)(std::string_view) = nullptr;
};

struct Verb {
  std::string name;
  std::string summary;                     // a line in the overview
  std::string operands;                    // "STUDY [key=value ...]"
  std::string details;                     // a paragraph
  int min_operands = 0, max_operands = 0;  // max −1: any number
  bool overrides = false;                  // takes key=value
  bool passes_through = false;             // another program reads its options
  bool explains_operand = false;           // with an operand, --help is the verb's own
  std::vector<Option> options = {};        // besides common_options()
  std::vector<std::string> examples = {};  // without the leading "attune "
  std::vector<ExitCode> exit_codes = {};
};

const std::vector<Verb>& verbs();
const Verb* find_verb(std::string_view name);

// What every verb takes.
const std::vector<Option>& common_options();

// "checkpointed, run me again"
std::string meaning(ExitCode code);

}  // namespace attune
