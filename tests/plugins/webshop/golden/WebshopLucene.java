import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import io.anserini.analysis.AnalyzerUtils;
import io.anserini.analysis.DefaultEnglishAnalyzer;
import io.anserini.index.IndexCollection;
import io.anserini.search.SimpleSearcher;
import java.io.File;
import java.nio.file.Path;
import org.apache.lucene.analysis.Analyzer;

/** What Lucene makes of texts and queries; run by webshop_lucene.py on the jar that pyserini 0.22.1 brings. */
public class WebshopLucene {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "tokens" -> tokens(new File(args[1]), new File(args[2]));
            case "index" -> index(args[1], args[2]);
            case "search" -> search(Path.of(args[1]), new File(args[2]), new File(args[3]));
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    /** A list of texts into a list of lists of tokens. */
    private static void tokens(File texts, File out) throws Exception {
        Analyzer analyzer = DefaultEnglishAnalyzer.newDefaultInstance();
        ArrayNode result = JSON.createArrayNode();
        for (JsonNode text : JSON.readTree(texts)) {
            ArrayNode row = result.addArray();
            AnalyzerUtils.analyze(analyzer, text.asText()).forEach(row::add);
        }
        JSON.writeValue(out, result);
    }

    /** A folder with documents of the form {"id", "contents"}, indexed with the settings of WebShop's own script. */
    private static void index(String documents, String folder) throws Exception {
        IndexCollection.main(new String[] {
            "-collection", "JsonCollection", "-generator", "DefaultLuceneDocumentGenerator", "-threads", "1",
            "-input", documents, "-index", folder, "-storePositions", "-storeDocvectors", "-storeRaw"});
    }

    /** A list of queries into a list of at most 50 ids each, best first. */
    private static void search(Path folder, File queries, File out) throws Exception {
        ArrayNode result = JSON.createArrayNode();
        try (SimpleSearcher searcher = new SimpleSearcher(folder.toString())) {
            for (JsonNode query : JSON.readTree(queries)) {
                ArrayNode row = result.addArray();
                for (SimpleSearcher.Result hit : searcher.search(query.asText(), 50)) {
                    row.add(hit.docid);
                }
            }
        }
        JSON.writeValue(out, result);
    }
}
