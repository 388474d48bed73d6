#pragma once

#include <string>

#include "base/fields.h"
#include "config/document.h"

namespace attune {

// "int", "list of reals", "pre | post", or a custom field's form.
std::string type_text(const Field& field);
// "1..4096", ">= 0", or nothing when every number is allowed.
std::string range_text(const Range& range);

// Whether other readers of the same file take the text for something else: on, off, yes, no, true,
// false as booleans of YAML 1.1, 010 as an octal number.
bool is_yaml11_boolean(const std::string& text);
bool has_leading_zero(const std::string& text);

// Gives `field` the value of a scalar, list or null without interpolations. Returns what is wrong
// as a phrase that follows "key=value ", or nothing; then the field is set.
std::string set_value(const Field& field, const Node& node);

}  // namespace attune
