"""The report: figures, schematics and numbers of a study, set by Typst as a PDF and one HTML file.

Nothing here computes a result: every number is read from an artefact and every picture shows one.
"""
