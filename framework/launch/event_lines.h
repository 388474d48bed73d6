#pragma once

#include <string>

#include "base/json.h"
#include "train/events.h"

namespace attune {

// Events between processes: a line of JSON each, which from_json() reads back to the same event.
Json to_json(const Event& event);
// DamagedError where it is none.
Event from_json(const Json& json);

// A JSON value on one line, with the newline.
std::string line_of(const Json& json);

}  // namespace attune
