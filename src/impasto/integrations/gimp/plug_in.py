#!/usr/bin/env python3
"""Filters > Artistic > impasto: paint a layer, or a selection, in the style of a picture.

``impasto gimp install`` puts this file into GIMP 3, whose own Python runs it. The command
``impasto`` gets the layer as a PNG. The result is a new layer above it. The old layer stays.
"""

import json
import os
import subprocess
import sys
import tempfile

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio, GLib, GObject  # noqa: E402

PROCEDURE = "plug-in-impasto"
STRENGTH, STROKE = "strength", "stroke"
COMMAND = os.path.join(os.path.dirname(os.path.abspath(__file__)), "command.json")
FIRST = "starry-night"


def impasto(*arguments):
    """Run the command, and return what it prints.

    Raises:
        RuntimeError: it failed; the sentence is the command's own.
    """
    with open(COMMAND, encoding="utf-8") as file:
        command = [*json.load(file), *map(str, arguments)]
    # GIMP's own variables would lead another Python astray.
    clean = {key: it for key, it in os.environ.items() if not key.startswith(("PYTHON", "GI_"))}
    hidden = {"creationflags": 0x08000000} if sys.platform == "win32" else {}  # no console
    try:
        done = subprocess.run(command, capture_output=True, env=clean, check=False, **hidden)
    except OSError as error:
        raise RuntimeError(f"{command[0]} cannot be run: run impasto gimp install again") from error
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace").strip() or "impasto failed")
    return done.stdout


def styles():
    """Return cards of the styles at hand, without the tiny twins."""
    return [card for card in json.loads(impasto("styles", "--json")) if "distilled" not in card]


def paint(image, drawable, style, strength, stroke):
    """Add a new layer above ``drawable`` with its painting; a selection becomes its mask."""
    with tempfile.TemporaryDirectory() as folder:
        photo, painting = (os.path.join(folder, name) for name in ("photo.png", "painting.png"))
        save(drawable, Gio.File.new_for_path(photo))
        flags = ["--strength", strength, "--stroke", stroke, "--quiet"]
        impasto("stylize", photo, "-s", style, "-o", painting, *flags)
        layer = Gimp.file_load_layer(
            Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(painting)
        )
    layer.set_name(f"{drawable.get_name()} - {os.path.basename(style)}")
    image.undo_group_start()
    try:
        image.insert_layer(layer, drawable.get_parent(), image.get_item_position(drawable))
        _, left, top = drawable.get_offsets()
        layer.set_offsets(left, top)
        if not Gimp.Selection.is_empty(image):
            layer.add_mask(layer.create_mask(Gimp.AddMaskType.SELECTION))
        image.set_selected_layers([layer])
    finally:
        image.undo_group_end()
    return layer


def save(drawable, file):
    """Write one layer as a picture, without its mask, its effects and its neighbours."""
    alone = Gimp.Image.new(drawable.get_width(), drawable.get_height(), Gimp.ImageBaseType.RGB)
    try:
        copy = Gimp.Layer.new_from_drawable(drawable, alone)
        alone.insert_layer(copy, None, 0)
        copy.set_offsets(0, 0)
        copy.set_visible(True)
        copy.set_opacity(100)
        if copy.get_mask():
            copy.remove_mask(Gimp.MaskApplyMode.DISCARD)
        Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, alone, file, None)
    finally:
        alone.delete()


def chosen(procedure, config):
    """Ask for a style, by its preview or as a painting's file, and for the rest; False if
    cancelled."""
    gi.require_version("GimpUi", "3.0")
    gi.require_version("Gtk", "3.0")
    from gi.repository import GdkPixbuf, GimpUi, Gtk

    GimpUi.init("impasto")
    shown = Gtk.ListStore(str, str, GdkPixbuf.Pixbuf)
    for card in styles():
        preview = os.path.join(card["folder"], card["preview"])
        picture = GdkPixbuf.Pixbuf.new_from_file_at_size(preview, 128, 96)
        shown.append([card["name"], card["title"], picture])
    view = Gtk.IconView(model=shown, pixbuf_column=2, text_column=1, item_width=140)
    view.set_selection_mode(Gtk.SelectionMode.BROWSE)

    def choose(view):
        for path in view.get_selected_items():
            config.set_property("style", shown[path][0])

    view.connect("selection-changed", choose)
    for row in shown:
        if row[0] == config.get_property("style"):
            view.select_path(row.path)
    scrolled = Gtk.ScrolledWindow(min_content_width=620, min_content_height=380)
    scrolled.add(view)
    dialog = GimpUi.ProcedureDialog.new(procedure, config, "impasto")
    dialog.get_content_area().pack_start(scrolled, True, True, 0)
    dialog.fill(["painting", STRENGTH, STROKE])
    dialog.show_all()
    wanted = dialog.run()
    dialog.destroy()
    return wanted


class Impasto(Gimp.PlugIn):
    """The plug-in, as GIMP asks for it."""

    def do_set_i18n(self, name):
        return False

    def do_query_procedures(self):
        return [PROCEDURE]

    def do_create_procedure(self, name):
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, self.run, None)
        procedure.set_image_types("*")
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        procedure.set_menu_label("_impasto...")
        procedure.add_menu_path("<Image>/Filters/Artistic")
        procedure.set_attribution("The impasto authors", "The impasto authors", "2026")
        procedure.set_documentation(
            "Paint a layer in the style of a picture",
            "A new layer above the layer; a selection becomes its mask. Style is a name that "
            "impasto styles lists, painting the file of any picture.",
            name,
        )
        flags = GObject.ParamFlags.READWRITE
        procedure.add_string_argument("style", "_Style", "A style's name", FIRST, flags)
        procedure.add_file_argument(
            "painting", "Own _painting", "A picture whose style is taken instead",
            Gimp.FileChooserAction.OPEN, True, None, flags,
        )  # fmt: skip
        procedure.add_double_argument(
            STRENGTH, "S_trength", "How much of the painting: 0 none, 1 all", 0, 1, 1, flags
        )
        procedure.add_double_argument(
            STROKE, "_Brush marks", "Their size in proportion to the picture", 0.1, 10, 1, flags
        )
        return procedure

    def run(self, procedure, mode, image, drawables, config, _data):
        def ended(status, sentence=None):
            error = GLib.Error(sentence) if sentence else GLib.Error()
            return procedure.new_return_values(status, error)

        if len(drawables) != 1 or not isinstance(drawables[0], Gimp.Layer):
            return ended(Gimp.PDBStatusType.CALLING_ERROR, "select one layer")
        try:
            if mode == Gimp.RunMode.INTERACTIVE and not chosen(procedure, config):
                return ended(Gimp.PDBStatusType.CANCEL)
            painting = config.get_property("painting")
            style = painting.get_path() if painting else config.get_property("style")
            paint(image, drawables[0], style, *map(config.get_property, (STRENGTH, STROKE)))
        except (RuntimeError, OSError, ValueError) as error:
            return ended(Gimp.PDBStatusType.EXECUTION_ERROR, str(error))
        Gimp.displays_flush()
        return ended(Gimp.PDBStatusType.SUCCESS)


Gimp.main(Impasto.__gtype__, sys.argv)
