"""The marketer's console: pages made of blocks, rendered for the browser or as one self-contained HTML file.

A view makes a `blocks.Page` from an artefact and an `Ask`; it computes and formats nothing that the reader's language
decides: cells carry raw values with a kind, charts carry figures from `figures`, sentences are plain English whose
figures the renderer localises. `render.page` writes it for the console, `standalone.html` as a file.
"""
