#pragma once

#include <string>
#include <string_view>

namespace conclave {

// Throws Error unless `bytes` is a whole TorchScript archive: a ZIP file (PKWARE's APPNOTE) under one folder, with
// code, whose entries' sizes, places and checksums agree, are stored or (64 MiB in all) deflated, and whose names stay
// inside; and whose code neither reads nor writes files. Nothing of it is run.
//
// This finds damage and what is not TorchScript. It does not make a stranger's file safe: TorchScript is a program.
void check_torchscript_archive(std::string_view bytes, const std::string& where);

}  // namespace conclave
